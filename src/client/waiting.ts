import { setTimeout as sleep } from 'node:timers/promises';
import { StoreUnavailable } from '../contracts/store.ts';
import { integer, optional, shape, signal } from './checks.ts';

export interface WaitOptions {
  /** Aborting it rejects at once, with its reason. What is waited for goes on. */
  signal?: AbortSignal;
  /** Milliseconds; when they are over, the wait rejects with a `TimeoutError`. What is waited for goes on. */
  timeoutMs?: number;
}

const FIRST_DELAY_MS = 20;
const LAST_DELAY_MS = 250;
/** A database that is away for so long while somebody waits is reported. */
const OUTAGE_PATIENCE_MS = 30_000;
const MAX_TIMER_MS = 2_147_483_647;

export const checkWait = shape({
  signal: optional(signal),
  timeoutMs: optional(integer(0, MAX_TIMER_MS)),
});

/** Milliseconds between looks at the database: short at first, for short turns, then longer. */
export function nextDelay(delayMs: number | null, longestMs = LAST_DELAY_MS): number {
  return delayMs === null ? FIRST_DELAY_MS : Math.min(delayMs * 1.5, longestMs);
}

/** Asks until the answer is not null. An outage of the database is waited out for half a minute. */
export async function waitFor<T>(
  ask: () => Promise<T | null>,
  { signal, timeoutMs }: WaitOptions,
): Promise<T> {
  return await bounded(signal, timeoutMs, async (ended) => {
    const patient = bridgingOutages(ask);
    for (let delay = nextDelay(null); ; delay = nextDelay(delay)) {
      const answer = await abortable(patient, ended);
      if (answer !== null) return answer;
      await pause(delay, ended);
    }
  });
}

/** Answers null while the database is away, until patience is over. */
export function bridgingOutages<T>(ask: () => Promise<T | null>): () => Promise<T | null> {
  let awaySince: number | null = null;
  return async () => {
    try {
      const answer = await ask();
      awaySince = null;
      return answer;
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      awaySince ??= Date.now();
      if (Date.now() - awaySince > OUTAGE_PATIENCE_MS) throw error;
      return null;
    }
  };
}

/** One signal for both ends. `AbortSignal.any` with `AbortSignal.timeout` may be collected before it fires on Node 20. */
async function bounded<T>(
  outer: AbortSignal | undefined,
  timeoutMs: number | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const inner = new AbortController();
  const abort = () => inner.abort(outer?.reason);
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => inner.abort(timedOut(timeoutMs)), timeoutMs);
  if (outer?.aborted) abort();
  outer?.addEventListener('abort', abort);
  try {
    return await work(inner.signal);
  } finally {
    clearTimeout(timer);
    outer?.removeEventListener('abort', abort);
  }
}

function timedOut(timeoutMs: number): DOMException {
  return new DOMException(`Nothing came within ${timeoutMs} ms.`, 'TimeoutError');
}

/** Rejects with the signal's reason as soon as it is aborted, also while `work` hangs. */
export async function abortable<T>(
  work: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (!signal) return await work();
  signal.throwIfAborted();
  return await new Promise<T>((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', abort);
    void work()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort));
  });
}

/** Sleeps; rejects with the signal's reason when it is aborted. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(ms, undefined, signal ? { signal } : {}).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw error;
  });
}
