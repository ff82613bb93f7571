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

  /** How long to wait before the next connection, milliseconds; null when the error says that the response has ended. */
  after(error: unknown): number | null {
    if (!(error instanceof ModelError) || !isBroken(error)) return null;
    const pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (PATIENCE - this.#left));
    this.#left -= error.kind === 'timeout' ? COST_OF_SILENCE : 1;
    return Math.max(error.retryAfterMs ?? 0, pauseMs);
  }
}

/** Whether it was the connection that failed, or the server's answer to it, and not the response. */
function isBroken({ kind, status, retryable }: ModelError): boolean {
  if (kind === 'response_lost') return false;
  return (
    kind === 'connection' ||
    kind === 'timeout' ||
    kind === 'protocol' ||
    (status !== null && retryable)
  );
}

/** A server streams a response only for some minutes; it can be asked for longer. */
export function isTooOld(error: unknown): boolean {
  return error instanceof ModelError && error.status === 400;
}
