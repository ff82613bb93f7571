import { ModelError } from '../contracts/model.ts';

/** One signal for two reasons to stop: the caller's, and silence. */
export interface IdleWatch {
  readonly signal: AbortSignal;
  /** Waits for the work; silence for longer than `ms` aborts the signal. */
  during<T>(work: Promise<T>, ms?: number): Promise<T>;
  /** Why the signal was aborted; null when it wasn't. */
  failure(requestId: string | null): ModelError | null;
  /** Lets go of the caller's signal. */
  stop(): void;
}

/** Counts only the time somebody waits for the server: a slow reader of the stream is no silence. */
export function watchIdle(caller: AbortSignal, idleMs: number): IdleWatch {
  const controller = new AbortController();
  const abort = () => {
    controller.abort();
  };
  if (caller.aborted) abort();
  caller.addEventListener('abort', abort, { once: true });
  let silentMs: number | null = null;
  return {
    signal: controller.signal,
    async during(work, ms = idleMs) {
      const timer = setTimeout(() => {
        silentMs = ms;
        abort();
      }, ms);
      try {
        return await work;
      } finally {
        clearTimeout(timer);
      }
    },
    failure(requestId) {
      if (caller.aborted) return abortedByCaller(requestId);
      return silentMs === null ? null : silence(silentMs, requestId);
    },
    stop() {
      caller.removeEventListener('abort', abort);
    },
  };
}

function abortedByCaller(requestId: string | null): ModelError {
  const message = 'The model call was aborted by its caller.';
  return new ModelError('aborted', message, { retryable: false, requestId });
}

function silence(ms: number, requestId: string | null): ModelError {
  const message = `The model server sent nothing for ${String(ms)} ms.`;
  return new ModelError('timeout', message, { retryable: true, requestId });
}
