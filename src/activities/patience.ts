import { ModelError } from '../contracts/model.ts';

/**
 * What may go wrong in a row, without a sign of life, before a response is given up: two silences, or sixteen connections,
 * which takes a minute. The response would be paid for twice, so an outage is waited for longer than before a create.
 */
const PATIENCE = 16;
const COST_OF_SILENCE = 8;
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 5_000;

/** How long a background response is believed to be alive while nothing is heard of it. */
export class Patience {
  #left = PATIENCE;

  renew(): void {
    this.#left = PATIENCE;
  }

  get isOver(): boolean {
    return this.#left <= 0;
  }

  /** How long to wait before the next connection, milliseconds; null when another one would be no use. */
  after(error: unknown): number | null {
    if (!(error instanceof ModelError) || !error.retryable || error.responseEnded) return null;
    const pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (PATIENCE - this.#left));
    this.#left -= error.kind === 'timeout' ? COST_OF_SILENCE : 1;
    return Math.max(error.retryAfterMs ?? 0, pauseMs);
  }
}

/**
 * Whether to ask for the response itself instead of its stream: a server streams one only for some minutes, and after an
 * `error` event nobody knows whether there is more to come.
 */
export function endsStreaming(error: unknown): boolean {
  if (!(error instanceof ModelError) || error.responseEnded) return false;
  return error.status === 400 || (error.status === null && !OF_THE_CONNECTION.has(error.kind));
}

const OF_THE_CONNECTION = new Set(['connection', 'timeout', 'protocol', 'aborted']);

/** Whether the response may be running still. */
export function mayRunStill(error: unknown): boolean {
  return error instanceof ModelError && !error.responseEnded && error.kind !== 'aborted';
}
