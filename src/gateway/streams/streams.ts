import { TurnkeeperError } from '../../contracts/errors.ts';

/** One reader that waits for something; `close` it when it is gone. */
export interface OpenStream {
  /** Aborted when the reader is gone, or the server goes. */
  readonly signal: AbortSignal;
  close(): void;
}

/** The readers that wait in this process. */
export interface Streams {
  /** @throws TurnkeeperError `too_many_streams` */
  open(): OpenStream;
  count(): number;
  /** Ends all of them, and those that come. */
  end(): void;
}

export function createStreams(max: number): Streams {
  const open = new Set<AbortController>();
  let ended = false;
  return {
    open() {
      if (open.size >= max) throw tooMany(max);
      const controller = new AbortController();
      open.add(controller);
      if (ended) controller.abort();
      return {
        signal: controller.signal,
        close() {
          open.delete(controller);
          controller.abort();
        },
      };
    },
    count: () => open.size,
    end() {
      ended = true;
      for (const controller of open) controller.abort();
    },
  };
}

function tooMany(max: number): TurnkeeperError {
  const message = `${max} readers are waiting here already (TURNKEEPER_MAX_STREAMS).`;
  return new TurnkeeperError('too_many_streams', message, { max });
}
