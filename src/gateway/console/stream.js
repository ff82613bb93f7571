import { refusalOf } from './api.js';
import { readSse } from './sse.js';

/**
 * @typedef {{ type: string, [field: string]: unknown }} TurnEvent
 * @typedef {'connecting' | 'live' | 'reconnecting' | 'ended'} Connection
 * @typedef {{ onEvent(number: number, event: TurnEvent): void, onConnection(connection: Connection): void }} Listener
 */

/** Two heartbeats and a half: a connection that is silent for so long is dead. */
const SILENCE_MS = 40_000;
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 4_000;

/**
 * Follows a turn from its first event to its last, each once and in order. A broken connection is opened again behind the
 * last event that came. Rejects with a `Refusal` when the server does not want to be asked again.
 * @param {string} turnId
 * @param {Listener} listener
 * @param {AbortSignal} signal
 */
export async function followTurn(turnId, { onEvent, onConnection }, signal) {
  let last = 0;
  let delay = FIRST_DELAY_MS;
  /** @param {number} number @param {TurnEvent} event */
  const take = (number, event) => {
    if (number <= last) return;
    last = number;
    delay = FIRST_DELAY_MS;
    onEvent(number, event);
  };
  onConnection('connecting');
  while (!signal.aborted) {
    const ended = await readOn(turnId, last, { onEvent: take, onConnection }, signal);
    if (signal.aborted) return;
    if (ended) return onConnection('ended');
    onConnection('reconnecting');
    await networkOrTime(delay * (0.5 + Math.random()), signal);
    delay = Math.min(2 * delay, MAX_DELAY_MS);
  }
}

/**
 * One connection. Resolves with whether the turn has no more events; false: it broke.
 * @param {string} turnId @param {number} after @param {Listener} listener @param {AbortSignal} signal
 */
async function readOn(turnId, after, { onEvent, onConnection }, signal) {
  const silence = watchSilence();
  try {
    const response = await fetch(`/api/turns/${turnId}/events?after=${after}`, {
      headers: { accept: 'text/event-stream' },
      cache: 'no-store',
      signal: AbortSignal.any([signal, silence.signal]),
    });
    if (response.status === 204) return true;
    if (!response.ok) return await retryable(response);
    if (!response.body) return false;
    onConnection('live');
    for await (const { id, data } of readSse(response.body, silence.heard)) {
      const event = JSON.parse(data);
      onEvent(Number(id), event);
      if (event.type === 'turn.done') return true;
    }
    return false;
  } catch (error) {
    if (error instanceof TypeError || error instanceof DOMException) return false;
    throw error;
  } finally {
    silence.stop();
  }
}

/** A server that is overloaded or restarting is asked again. @param {Response} response */
async function retryable(response) {
  if (response.status >= 500 || response.status === 429) return false;
  throw await refusalOf(response);
}

/** Gives up a connection that is silent for too long, or was opened before the network went and came back. */
function watchSilence() {
  const controller = new AbortController();
  const giveUp = () => controller.abort();
  let timer = setTimeout(giveUp, SILENCE_MS);
  addEventListener('online', giveUp);
  return {
    signal: controller.signal,
    heard() {
      clearTimeout(timer);
      timer = setTimeout(giveUp, SILENCE_MS);
    },
    stop() {
      clearTimeout(timer);
      removeEventListener('online', giveUp);
    },
  };
}

/**
 * Waits; a network that comes back ends it early.
 * @param {number} ms @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function networkOrTime(ms, signal) {
  return new Promise((resolve) => {
    const over = new AbortController();
    const done = () => {
      clearTimeout(timer);
      over.abort();
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener('online', done, { signal: over.signal });
    signal.addEventListener('abort', done, { signal: over.signal });
  });
}
