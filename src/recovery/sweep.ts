import { StoreUnavailable } from '../contracts/store.ts';
import { describeError } from '../contracts/thrown.ts';
import { doChore, type Chore } from './chores.ts';
import { healCompensation } from './compensation.ts';
import { each, type Tally } from './each.ts';
import { expire, OVERDUE_GRACE_MS, startAccepted, turnFields, type Recovery } from './recovery.ts';
import { repeatUntil, waitAtMost } from './repeat.ts';

/** How long whoever accepted a turn or stored a document has to start its workflow, milliseconds. */
const START_GRACE_MS = 5_000;
/** How long a compensation, or a document, is left alone once somebody has looked after it. */
const CHECK_MS = 60_000;
/** Items of a kind that one sweep takes on; the next sweep takes the rest. */
const BATCH = 100;
/** A worker that is told to stop does not wait for an engine or a database that hangs. */
const PATIENCE_MS = 5_000;

/** What one sweep did. `failed` counts items that are left to the next one. */
export interface SweepCounts {
  expired: number;
  started: number;
  ingesting: number;
  /** Compensations that were looked after, and summaries that were started. */
  followUps: number;
  failed: number;
}

/**
 * Finds what its starter forgot, over all tenants: ends overdue turns, starts accepted ones and stored documents. An item
 * that fails is logged and holds up no other. Rejects with `StoreUnavailable` when the database is away.
 */
export async function sweepOnce(parts: Recovery): Promise<SweepCounts> {
  // Overdue ones first, lest a turn is started that ends in the same sweep.
  const expired = await sweepOverdue(parts);
  const started = await sweepUnstarted(parts);
  const ingesting = await sweepDocuments(parts);
  const followUps = await sweepFollowUps(parts);
  const tallies = { expired, started, ingesting, followUps };
  return {
    expired: expired.done,
    started: started.done,
    ingesting: ingesting.done,
    followUps: followUps.done,
    failed: Object.values(tallies).reduce((sum, tally) => sum + tally.failed, 0),
  };
}

async function sweepOverdue(parts: Recovery): Promise<Tally> {
  const turns = await parts.store.sweep.overdueTurns(OVERDUE_GRACE_MS, BATCH);
  return await each(
    turns,
    ({ tenant, turnId }) => expire(parts, tenant, turnId),
    (turn, error) => parts.logger.error('overdue turn not ended', turnFields(turn, error)),
  );
}

async function sweepUnstarted({ store, starter, logger }: Recovery): Promise<Tally> {
  const turns = await store.sweep.unstartedTurns(START_GRACE_MS, BATCH);
  return await each(
    turns,
    (turn) => startAccepted(store, starter, turn),
    (turn, error) => logger.error('accepted turn not started', turnFields(turn, error)),
  );
}

async function sweepDocuments({ store, starter, logger }: Recovery): Promise<Tally> {
  const age = { olderThanMs: START_GRACE_MS, everyMs: CHECK_MS };
  const documents = await store.sweep.unindexedDocuments(age, BATCH);
  return await each(
    documents,
    (document) => starter.startIngest(document),
    (document, error) =>
      logger.error('ingestion not started', { ...document, error: describeError(error) }),
  );
}

async function sweepFollowUps(parts: Recovery): Promise<Tally> {
  const { store, starter, logger } = parts;
  const age = { olderThanMs: START_GRACE_MS, everyMs: CHECK_MS };
  const compensations = await store.sweep.openCompensations(age, BATCH);
  const outgrown = await store.sweep.outgrownConversations(START_GRACE_MS, BATCH);
  return await each(
    [
      ...compensations.map((what) => ({ what, start: () => healCompensation(parts, what) })),
      ...outgrown.map((what) => ({ what, start: () => starter.startSummary(what) })),
    ],
    ({ start }) => start(),
    ({ what }, error) =>
      logger.error('follow-up not started', { ...what, error: describeError(error) }),
  );
}

export interface Sweeping extends Recovery {
  intervalMs: number;
  /** How long stopping waits for what is under way. */
  patienceMs?: number;
  /** Done as often, each by itself: one that hangs holds up no turn. */
  chores?: Chore[];
  onSwept?: (counts: SweepCounts) => void;
}

/** Sweeps at once and then about every `intervalMs`, one sweep at a time, until stopped. */
export function startSweep(sweeping: Sweeping): { stop(): Promise<void> } {
  const { chores = [], patienceMs = PATIENCE_MS, ...parts } = sweeping;
  const stopping = new AbortController();
  const { signal } = stopping;
  const ended = Promise.all([
    sweepUntil(signal, parts),
    ...chores.map((chore) => doChore(signal, chore, parts)),
  ]);
  return {
    async stop() {
      stopping.abort();
      await waitAtMost(patienceMs, ended);
    },
  };
}

async function sweepUntil(stopped: AbortSignal, parts: Sweeping): Promise<void> {
  let databaseAway = false;
  await repeatUntil(stopped, parts.intervalMs, async () => {
    databaseAway = await sweepSafely(parts, databaseAway);
  });
}

/** Answers whether the database is away; tells the log of an outage once. */
async function sweepSafely(parts: Sweeping, wasAway: boolean): Promise<boolean> {
  try {
    const counts = await sweepOnce(parts);
    parts.onSwept?.(counts);
    if (wasAway) parts.logger.info('sweeping again, the database is back');
    return false;
  } catch (error) {
    const away = error instanceof StoreUnavailable;
    if (!away || !wasAway) parts.logger.error('sweep failed', { error: describeError(error) });
    return away;
  }
}
