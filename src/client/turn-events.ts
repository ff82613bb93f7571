import { TurnkeeperError } from '../contracts/errors.ts';
import type { TurnEvent } from '../contracts/store.ts';
import { integer, optional, shape, signal as isSignal } from './checks.ts';
import type { Parts } from './parts.ts';
import { createPresence } from './presence.ts';
import { knownForm, reportingOutage } from './requests.ts';
import { abortable, bridgingOutages, nextDelay } from './waiting.ts';
import { HEAL_EVERY_MS, watchTurn } from './watch-turn.ts';

export interface EventsOptions {
  /** Number of the last event you have; 0, the default, reads from the start. Refused when the turn has none of it yet. */
  after?: number;
  /** Aborting it makes the iteration reject at once, with its reason. */
  signal?: AbortSignal;
}

const BATCH = 500;
/** Readers look more often than those who wait for the end. */
const MAX_DELAY_MS = 50;
/** Who is told of events looks all the same: news may get lost. */
const TOLD_DELAY_MS = 500;

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
  const id = knownForm(turnId, 'turn_not_found');
  const next = batchReader(parts, id);
  const read = bridgingOutages(() => next(after));
  // Before the first look, lest something comes in between.
  const watch = parts.store.events.watch(parts.tenant, id);
  const presence = createPresence(parts, id);
  const pace = createPace();
  try {
    for (let told = false; ;) {
      const lookedAt = performance.now();
      const batch = await reportingOutage(() => abortable(read, signal));
      const lookMs = performance.now() - lookedAt;
      if (batch && batch.last < after) throw beyondTheEnd(id, after, batch.last);
      if (batch?.attended && !batch.sealed) presence.begin();
      for (const event of batch?.events ?? []) {
        yield event;
        signal?.throwIfAborted();
        after = event.number;
      }
      if (batch?.events.length && after < batch.last) continue;
      if (batch?.sealed) return;
      const wait = pace(told, Boolean(batch?.events.length), lookMs);
      told = await abortable(() => watch.next(wait), signal);
    }
  } finally {
    watch.close();
    presence.end();
  }
}

/**
 * Milliseconds until the next look. Once news were told they are waited for; events that come without being told show
 * that whoever writes them now does not tell, or is not heard.
 */
function createPace(): (told: boolean, found: boolean, lookMs: number) => number {
  let trusting = false;
  let delay = nextDelay(null);
  return (told, found, lookMs) => {
    trusting = told || (trusting && !found);
    delay = found ? nextDelay(null) : nextDelay(delay, MAX_DELAY_MS);
    return trusting ? TOLD_DELAY_MS : Math.max(delay, sparing(lookMs));
  };
}

/** Where a look takes long, there are too many of them: a reader spends a fifth of its time on them at most. */
function sparing(lookMs: number): number {
  return Math.min(4 * lookMs, TOLD_DELAY_MS);
}

function batchReader(parts: Parts, turnId: string) {
  const { store, tenant } = parts;
  const heal = watchTurn(parts, turnId, 0);
  let healedAt = Date.now();
  return async (after: number) => {
    const range = { after, limit: BATCH };
    const read = await store.events.read(tenant, turnId, range);
    const stalled = read.events.length === 0 && !read.sealed;
    if (stalled && Date.now() - healedAt > HEAL_EVERY_MS) {
      await heal();
      healedAt = Date.now();
    }
    return read;
  };
}

function beyondTheEnd(turnId: string, after: number, last: number): TurnkeeperError {
  const message = `Turn ${turnId} has no event ${after}: its last is ${last}.`;
  return new TurnkeeperError('invalid_request', message, { field: 'after', last });
}
