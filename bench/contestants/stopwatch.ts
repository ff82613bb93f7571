import type { TurnTiming } from '../contestant.ts';

/** Times one turn from now on. */
export function stopwatch(): { delta(): void; done(): TurnTiming } {
  const startedAt = performance.now();
  let firstDeltaMs: number | undefined;
  const elapsed = () => performance.now() - startedAt;
  return {
    delta: () => void (firstDeltaMs ??= elapsed()),
    done() {
      if (firstDeltaMs === undefined) throw new Error('The turn ended without a delta.');
      return { firstDeltaMs, doneMs: elapsed() };
    },
  };
}
