import type { Overlooked, TurnRef } from '../contracts/store.ts';
import type { ExecutionState } from '../contracts/starter.ts';
import { deletionChore } from './deletions.ts';
import { isAcquainted } from './acquainted.ts';
import { each } from './each.ts';
import { queueChore } from './queues.ts';
import { endLostTurns, freeConversations } from './reconcile.ts';
import type { Recovery } from './recovery.ts';
import { sweepOnce } from './sweep.ts';
import { submissionsChore } from './wake.ts';
import { allMisfits, CLOSE_GRACE_MS, endWorkflows } from './workflows.ts';

/** One thing that may be wrong with the data. */
export interface Examination {
  check: string;
  /** Ids of what is wrong; looking changes nothing. */
  find(): Promise<string[]>;
  /** Says what is wrong with so many. */
  explain: string;
  advice: string;
  /** Mends what `find` has found last. */
  mend(): Promise<void>;
}

/** Asked before so many turns are ended of which a Temporal says that it has none, when it knows no other either. */
export type MayEnd = (turns: number) => Promise<boolean>;

const BATCH = 500;
const FIX = 'Run `turnkeeper doctor --fix`';
/** A sweep comes to everything within a minute; what has waited for longer is waiting for something else. */
const OVERLOOKED_AFTER_MS = 300_000;

/** In the order in which they are mended: a turn that is ended may leave nothing for the others. */
export function examinations(parts: Recovery, mayEnd: MayEnd): Examination[] {
  return [
    lostTurns(parts, mayEnd),
    openBehindTheEnd(parts),
    heldByNobody(parts),
    sealedWorkflows(parts),
    unknownWorkflows(parts),
    overlookedWork(parts),
  ];
}

function lostTurns(parts: Recovery, mayEnd: MayEnd): Examination {
  let found: TurnRef[] = [];
  return {
    check: 'turns',
    async find() {
      found = await turnsWithoutWorkflow(parts);
      return found.map(({ turnId }) => turnId);
    },
    explain: 'started turns have no running workflow, so that nobody goes on with them',
    advice: `${FIX}: it ends them as failed, workflow_lost, and hands their conversations over.`,
    async mend() {
      if ((await isAcquainted(parts)) || (await mayEnd(found.length)))
        await endLostTurns(parts, found);
    },
  };
}

async function turnsWithoutWorkflow({ store, starter }: Recovery): Promise<TurnRef[]> {
  const lost: TurnRef[] = [];
  for (let after = 0; ;) {
    const turns = await store.checkup.turnsIn(['started'], after, BATCH);
    const states = new Map<TurnRef, ExecutionState>();
    const { failed } = await each(
      turns,
      async (turn) => states.set(turn, await starter.executionState(turn.turnId)),
      () => undefined,
    );
    if (failed > 0) throw new Error(`Temporal did not tell about ${failed} turns.`);
    lost.push(...turns.filter((turn) => states.get(turn) !== 'running'));
    const last = turns.at(-1);
    if (!last || turns.length < BATCH) return stillStarted(store, lost);
    after = last.number;
  }
}

/** A turn may have come to its own end since it was read, and its workflow with it. */
async function stillStarted({ checkup }: Recovery['store'], turns: TurnRef[]): Promise<TurnRef[]> {
  const standings = await checkup.statesOf(turns.map(({ turnId }) => turnId));
  return standings.filter(({ state }) => state === 'started');
}

function openBehindTheEnd({ store: { checkup } }: Recovery): Examination {
  let found: TurnRef[] = [];
  return {
    check: 'steps and actions',
    async find() {
      found = await checkup.leftOpen(BATCH);
      return found.map(({ turnId }) => turnId);
    },
    explain: 'turns have ended, but steps or actions of theirs are open',
    advice: `${FIX}: it closes them; what they did stays unknown.`,
    async mend() {
      for (const { tenant, turnId } of found) await checkup.closeLeftOpen(tenant, turnId);
    },
  };
}

function heldByNobody(parts: Recovery): Examination {
  const find = () => parts.store.checkup.heldByNobody(BATCH);
  return {
    check: 'conversations',
    find: async () => (await find()).map(({ conversationId }) => conversationId),
    explain:
      'conversations have no turn that is under way, but are held or wait, or another turn than the one that is holds them',
    advice: `${FIX}: it releases them and starts what waits.`,
    async mend() {
      await freeConversations(parts, await find());
    },
  };
}

function sealedWorkflows(parts: Recovery): Examination {
  let found: TurnRef[] = [];
  return {
    check: 'workflows of ended turns',
    async find() {
      found = (await allMisfits(parts, CLOSE_GRACE_MS)).sealed;
      return found.map(({ turnId }) => turnId);
    },
    explain: 'workflows run although their turn has ended',
    advice: `${FIX}: it terminates them; they can write nothing any more.`,
    async mend() {
      await endWorkflows(
        parts,
        found.map(({ turnId }) => turnId),
      );
    },
  };
}

function unknownWorkflows(parts: Recovery): Examination {
  return {
    check: 'workflows of unknown turns',
    find: async () => (await allMisfits(parts, CLOSE_GRACE_MS)).unknown,
    explain: 'workflows run on this task queue whose turns the database does not know',
    advice:
      'Check that DATABASE_URL names the database of this task queue. If it was restored from a backup, run `turnkeeper doctor --restored`, which terminates them.',
    // Not by itself: with the wrong DATABASE_URL it would end every turn there is.
    mend: () => Promise.resolve(),
  };
}

const WAITING: Record<keyof Overlooked, string> = {
  unstartedTurns: 'accepted turns that were not started',
  overdueTurns: 'turns past their deadline',
  lateQueuedTurns: 'turns that have been queued for too long',
  cancellingTurns: 'turns that were to be interrupted',
  unreadSubmissions: 'turns that have not read what was submitted',
  compensations: 'compensations that are not closed',
  summaries: 'summaries that are due',
  documents: 'documents that are not indexed',
  deletions: 'deleted conversations whose rows are left',
  responses: 'responses that their provider was not told to stop',
};

function overlookedWork(parts: Recovery): Examination {
  return {
    check: 'work for sweeps',
    async find() {
      const overlooked = await parts.store.checkup.overlooked(OVERLOOKED_AFTER_MS);
      return Object.entries(overlooked)
        .filter(([, count]) => count > 0)
        .map(([kind, count]) => `${count} ${WAITING[kind as keyof Overlooked]}`);
    },
    explain: 'kinds of work have waited for a sweep for over five minutes',
    advice: `See that workers run and reach Temporal, the model and the index: their log says what failed. ${FIX} to sweep now; what takes its time is still there afterwards.`,
    async mend() {
      await sweepOnce(parts);
      await queueChore(parts).run();
      await submissionsChore(parts).run();
      await deletionChore(parts).run();
    },
  };
}
