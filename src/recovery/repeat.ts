import { setTimeout as sleep } from 'node:timers/promises';

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
