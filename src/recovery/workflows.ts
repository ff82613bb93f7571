import type { CountReconciled } from '../contracts/reconciled.ts';
import type { WorkflowType } from '../contracts/starter.ts';
import type { TurnRef } from '../contracts/store.ts';
import { describeError } from '../contracts/thrown.ts';
import type { Chore } from './chores.ts';
import { countDone } from './each.ts';
import type { Recovery } from './recovery.ts';

const PAGE = 100;
/** How often one worker has Temporal list what runs, milliseconds: lists are dear. */
const LIST_EVERY_MS = 60_000;
/** A workflow closes right behind the end of its turn; what still runs so long after it never will by itself. */
export const CLOSE_GRACE_MS = 60_000;

/**
 * Ends workflows whose turn is sealed, a page at a time. One whose turn the store does not know is told and left alone:
 * its steps are refused, and the one that does not know may be this worker, with the address of another database.
 */
export function workflowsChore(parts: Recovery, count: CountReconciled): Chore {
  let after: string | null = null;
  let listedAt = Number.NEGATIVE_INFINITY;
  return {
    name: 'end workflows of sealed turns',
    async run() {
      if (Date.now() - listedAt < LIST_EVERY_MS) return 0;
      listedAt = Date.now();
      const page = { limit: PAGE, after };
      // From the start again, should Temporal not take this place in its list any more.
      after = null;
      const { ids, next } = await parts.starter.running('turn', page);
      after = next;
      const { sealed, unknown } = await misfits(parts, ids, CLOSE_GRACE_MS);
      for (const turn of unknown) parts.logger.warn('workflow of an unknown turn', { turn });
      count('unknown_workflows', unknown.length);
      const ended = await endWorkflows(
        parts,
        sealed.map(({ turnId }) => turnId),
      );
      count('sealed_workflows', ended);
      return ended;
    },
  };
}

export interface Misfits {
  /** Sealed for so long that their workflow should have closed. */
  sealed: TurnRef[];
  /** Of turns that the store does not know. */
  unknown: string[];
}

/** Which of these turns, whose workflows are listed as running, should have none. */
async function misfits(
  { store, starter }: Pick<Recovery, 'store' | 'starter'>,
  running: string[],
  graceMs: number,
): Promise<Misfits> {
  const turnIds = running.filter((id) => UUID.test(id));
  const standings = await store.checkup.statesOf(turnIds);
  const known = new Set(standings.map(({ turnId }) => turnId));
  const sealed = standings.filter(
    ({ sealedForMs }) => sealedForMs !== null && sealedForMs >= graceMs,
  );
  const unknown = turnIds.filter((id) => !known.has(id));
  const runs = await stillRunning(starter, [...sealed.map(({ turnId }) => turnId), ...unknown]);
  return {
    sealed: sealed.filter(({ turnId }) => runs.has(turnId)),
    unknown: unknown.filter((turnId) => runs.has(turnId)),
  };
}

/** What has another id was not started by us. */
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Every workflow of a turn that runs and should not. */
export async function allMisfits(parts: Recovery, graceMs: number): Promise<Misfits> {
  const found: Misfits = { sealed: [], unknown: [] };
  for await (const ids of allRunning(parts, 'turn')) {
    const { sealed, unknown } = await misfits(parts, ids, graceMs);
    found.sealed.push(...sealed);
    found.unknown.push(...unknown);
  }
  return found;
}

/** Ids of the workflows of a type that run, a page at a time. */
export async function* allRunning(
  { starter }: Pick<Recovery, 'starter'>,
  type: WorkflowType,
): AsyncGenerator<string[], void, undefined> {
  for (let after: string | null = null; ;) {
    const { ids, next } = await starter.running(type, { limit: PAGE, after });
    yield ids;
    if (next === null) return;
    after = next;
  }
}

/** Temporal's list is behind by some seconds: what has just been terminated is in it still. */
async function stillRunning(starter: Recovery['starter'], turnIds: string[]): Promise<Set<string>> {
  const states = await Promise.all(turnIds.map((id) => starter.executionState(id)));
  return new Set(turnIds.filter((_, index) => states[index] === 'running'));
}

/** Answers how many; what fails is logged. */
export function endWorkflows(
  { starter, logger }: Recovery,
  ids: string[],
  reason = 'Its turn is sealed.',
): Promise<number> {
  return countDone(
    ids,
    async (id) => {
      await starter.terminate(id, reason);
      return true;
    },
    (workflow, error) =>
      logger.warn('workflow not terminated', { workflow, error: describeError(error) }),
  );
}
