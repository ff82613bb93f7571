import type { TurnEvent } from '../contracts/store.ts';
import { integer, optional, shape, signal as isSignal } from './checks.ts';
import type { Parts } from './parts.ts';
import { knownForm, reportingOutage } from './requests.ts';
import { abortable, bridgingOutages, nextDelay, pause } from './waiting.ts';
import { watchTurn } from './watch-turn.ts';

export interface EventsOptions {
  /** Number of the last event you have; 0, the default, reads from the start. */
  after?: number;
  /** Aborting it makes the iteration reject at once, with its reason. */
  signal?: AbortSignal;
}

const BATCH = 500;
/** Readers look more often than those who wait for the end. */
const MAX_DELAY_MS = 50;

const checkOptions = shape({
  after: optional(integer(0, Number.MAX_SAFE_INTEGER)),
  signal: optional(isSignal),
});

/** Reads the events of a turn as they come, up to the last one. */
export async function* turnEvents(
  parts: Parts,
  turnId: string,
  options: EventsOptions,
): AsyncGenerator<TurnEvent, void, undefined> {
  checkOptions(options, '');
  const { signal } = options;
  let after = options.after ?? 0;
  const next = batchReader(parts, knownForm(turnId, 'turn_not_found'));
  const read = bridgingOutages(() => next(after));
  for (let delay = nextDelay(null); ; delay = nextDelay(delay, MAX_DELAY_MS)) {
    const batch = await reportingOutage(() => abortable(read, signal));
    for (const event of batch?.events ?? []) {
      yield event;
      after = event.number;
    }
    if (batch?.done) return;
    if (batch?.events.length) delay = nextDelay(null);
    await pause(delay, signal);
  }
}

function batchReader(parts: Parts, turnId: string) {
  const { store, tenant } = parts;
  const look = watchTurn(parts, turnId);
  let sealed = false;
  return async (after: number) => {
    const events = await store.events.read(tenant, turnId, { after, limit: BATCH });
    const nothingMore = sealed && events.length === 0;
    const done = nothingMore || events.at(-1)?.event.type === 'turn.done';
    // Only events read after the turn was seen sealed are surely all.
    if (events.length === 0 && !done) sealed = (await look()).state === 'sealed';
    return { events, done };
  };
}
