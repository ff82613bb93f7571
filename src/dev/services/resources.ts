import { setTimeout as delay } from 'node:timers/promises';

type Stop = () => Promise<unknown>;

/** Longer than a process is given before it is killed. */
const STOP_LIMIT_MS = 15_000;

/** What was started and has to be stopped, also what is still starting when the end comes. */
export interface Resources {
  /** Rejects once everything is being closed. */
  start<T>(begin: () => Promise<T>, stop: (started: T) => Promise<unknown>): Promise<T>;
  /** Whether there is nothing to stop. */
  idle(): boolean;
  /** Stops everything, the newest first. One that does not stop keeps no other from being stopped. */
  close(): Promise<void>;
}

export function createResources(): Resources {
  const stops: Stop[] = [];
  let closed = false;
  return {
    async start(begin, stop) {
      if (closed) throw new Error('Everything is being stopped.');
      const starting = begin();
      stops.unshift(() => starting.then(stop, () => undefined));
      return await starting;
    },
    idle: () => stops.length === 0,
    async close() {
      closed = true;
      for (const stop of stops.splice(0)) {
        const stopped = stop().catch(() => undefined);
        await Promise.race([stopped, delay(STOP_LIMIT_MS, undefined, { ref: false })]);
      }
    },
  };
}
