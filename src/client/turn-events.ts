import type { TurnEvent } from '../contracts/store.ts';
import { integer, optional, shape, signal as isSignal } from './checks.ts';
import type { Parts } from './parts.ts';
import { knownForm, reportingOutage } from './requests.ts';
import { abortable, bridgingOutages, nextDelay } from './waiting.ts';
import { HEAL_EVERY_MS, watchTurn } from './watch-turn.ts';

export interface EventsOptions {
  /** Number of the last event you have; 0, the default, reads from the start. */
  after?: number;
  /** Aborting it makes the iteration reject at once, with its reason. */
  signal?: AbortSignal;
}

const BATCH = 500;
/** Readers look more often than those who wait for the end. */
const MAX_DELAY_MS = 50;
/** Who is told of events looks all the same: another process may have taken the turn over. */
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
  try {
    let delay = nextDelay(null);
    for (let told = false; ;) {
      const lookedAt = performance.now();
      const batch = await reportingOutage(() => abortable(read, signal));
      const lookMs = performance.now() - lookedAt;
      for (const event of batch?.events ?? []) {
        yield event;
        after = event.number;
      }
      if (batch?.done) return;
      delay = batch?.events.length ? nextDelay(null) : nextDelay(delay, MAX_DELAY_MS);
      const wait: number = told ? TOLD_DELAY_MS : Math.max(delay, sparing(lookMs));
      told = await abortable(() => watch.next(wait), signal);
    }
  } finally {
    watch.close();
  }
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
    const { events, sealed } = await store.events.read(tenant, turnId, { after, limit: BATCH });
    const stalled = events.length === 0 && !sealed;
    if (stalled && Date.now() - healedAt > HEAL_EVERY_MS) {
      await heal();
      healedAt = Date.now();
    }
    return { events, done: sealed && events.length < BATCH };
  };
}
