import { setTimeout as delay } from 'node:timers/promises';
import type { Running } from '../support/parts.ts';

/** Processes of which the next one always runs already. */
export interface Spares {
  /** The next one, after the first `awayMs` later. */
  start(): Promise<Running>;
  /** Resolves when there is a spare one. */
  ready(): Promise<unknown>;
  stop(): Promise<void>;
}

/** How long a part is away does then not depend on how fast it starts. */
export function withSpare(start: () => Promise<Running>, awayMs: number): Spares {
  let spare: Promise<Running> | undefined;
  return {
    async start() {
      if (spare) await delay(awayMs);
      const next = spare ?? start();
      spare = undefined;
      const running = await next;
      spare = start();
      // Whoever takes it is told.
      spare.catch(() => undefined);
      return running;
    },
    ready: async () => spare,
    async stop() {
      await spare?.then(
        (running) => running.stop(),
        () => undefined,
      );
    },
  };
}
