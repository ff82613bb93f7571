import { setTimeout as sleep } from 'node:timers/promises';

/** Waits for the work, but for no longer than `patienceMs`: what hangs is left behind. */
export async function waitAtMost(patienceMs: number, work: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  const late = sleep(patienceMs, undefined, { signal: over.signal }).catch(() => undefined);
  await Promise.race([work, late]).finally(() => over.abort());
}

/** Works at once and then about every `intervalMs`, one time after the other, until stopped. */
export async function repeatUntil(
  stopped: AbortSignal,
  intervalMs: number,
  work: () => Promise<void>,
): Promise<void> {
  while (!stopped.aborted) {
    await work();
    // Workers that were started together drift apart.
    const pauseMs = intervalMs * (0.8 + 0.4 * Math.random());
    await sleep(pauseMs, undefined, { signal: stopped }).catch(() => undefined);
  }
}
