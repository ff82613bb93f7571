import { compensationId, turnOfCompensation } from '../contracts/starter.ts';
import type { TurnRef, TurnState } from '../contracts/store.ts';
import { describeError } from '../contracts/thrown.ts';
import { countDone } from './each.ts';
import { freeConversations } from './reconcile.ts';
import type { Recovery } from './recovery.ts';
import { allMisfits, allRunning, endWorkflows } from './workflows.ts';

const BATCH = 100;

export interface Restored {
  /** Turns that were open in the backup, and are failed now. */
  sealed: number;
  /** Workflows that the database does not know, or whose turns have ended, and those that are started again. */
  terminated: number;
  /** Conversations that nobody held. */
  freed: number;
  /** Left as they were: it is to be run again. */
  failed: number;
}

/** What `afterRestore` would do. */
export async function beforeRestore(
  parts: Recovery,
): Promise<{ turns: number; workflows: number }> {
  const [queued, open] = [await count(parts, ['queued']), await count(parts, OPEN)];
  return { turns: queued + open, workflows: (await strayWorkflows(parts)).length };
}

const OPEN: TurnState[] = ['accepted', 'started'];

/**
 * Brings database and Temporal together after the database was restored from a backup: turns that were open in it end as
 * failed, and nothing runs of which it does not know. Run again, it goes on where it stopped. Nothing else may write.
 */
export async function afterRestore(parts: Recovery): Promise<Restored> {
  // Those that wait first, lest one gets the conversation of one that is ended.
  const queued = await sealAll(parts, ['queued']);
  const open = await sealAll(parts, OPEN);
  const workflows = await strayWorkflows(parts);
  const terminated = await endWorkflows(parts, workflows, 'The database was restored.');
  const freed = await freeAll(parts);
  return {
    sealed: queued.done + open.done,
    terminated,
    freed,
    failed: queued.failed + open.failed + workflows.length - terminated,
  };
}

/**
 * What must not go on: workflows of turns that have ended or are unknown, compensations of the latter; and summaries and
 * ingestions, which the sweep starts again where the database wants them, and which may wait for a key that it has not.
 */
async function strayWorkflows(parts: Recovery): Promise<string[]> {
  const { sealed, unknown } = await allMisfits(parts, 0);
  const stray = [...sealed.map(({ turnId }) => turnId), ...unknown];
  for (const type of ['summarize', 'ingest'] as const)
    for await (const ids of allRunning(parts, type)) stray.push(...ids);
  for await (const ids of allRunning(parts, 'compensate'))
    stray.push(...(await ofUnknownTurns(parts, ids)));
  return stray;
}

async function ofUnknownTurns({ store }: Recovery, compensations: string[]): Promise<string[]> {
  const turnIds = compensations.map(turnOfCompensation);
  const known = new Set((await store.checkup.statesOf(turnIds)).map(({ turnId }) => turnId));
  return turnIds.filter((id) => !known.has(id)).map(compensationId);
}

async function count(parts: Recovery, states: TurnState[]): Promise<number> {
  let turns = 0;
  for await (const batch of batches(parts, states)) turns += batch.length;
  return turns;
}

async function sealAll(parts: Recovery, states: TurnState[]) {
  const tally = { done: 0, failed: 0 };
  for await (const batch of batches(parts, states)) {
    const failures: TurnRef[] = [];
    tally.done += await countDone(
      batch,
      ({ tenant, turnId }) => parts.store.checkup.sealRestored(tenant, turnId),
      (turn, error) => {
        failures.push(turn);
        parts.logger.error('turn not ended', { ...turn, error: describeError(error) });
      },
    );
    tally.failed += failures.length;
  }
  return tally;
}

async function* batches(
  { store }: Recovery,
  states: TurnState[],
): AsyncGenerator<TurnRef[], void, undefined> {
  for (let after = 0; ;) {
    const turns = await store.checkup.turnsIn(states, after, BATCH);
    const last = turns.at(-1);
    if (!last) return;
    yield turns.map(({ tenant, turnId }) => ({ tenant, turnId }));
    after = last.number;
  }
}

async function freeAll(parts: Recovery): Promise<number> {
  for (let freed = 0; ;) {
    const stuck = await parts.store.checkup.heldByNobody(BATCH);
    const now = await freeConversations(parts, stuck);
    freed += now;
    if (now === 0) return freed;
  }
}
