import type { CountReconciled } from '../contracts/reconciled.ts';
import type { ConversationRef, TurnRef } from '../contracts/store.ts';
import { describeError } from '../contracts/thrown.ts';
import { isAcquainted } from './acquainted.ts';
import type { Chore } from './chores.ts';
import { countDone } from './each.ts';
import { heal } from './heal.ts';
import { counted } from './reconciled.ts';
import { startOrLeave, turnFields, type Recovery } from './recovery.ts';
import { workflowsChore } from './workflows.ts';

const BATCH = 100;
/** A turn that nobody waits for is compared with Temporal so often, and only so long after its start. */
const COMPARE = { olderThanMs: 30_000, everyMs: 60_000 };

/** Finds what does not fit together although nobody waits for it, and mends it. */
export function reconcileChores(parts: Recovery, count: CountReconciled): Chore[] {
  const { checkup } = parts.store;
  return [
    {
      name: 'end lost turns',
      run: async () => compare(parts, await checkup.startedTurns(COMPARE, BATCH)),
    },
    counted(
      {
        name: 'free stuck conversations',
        run: async () => freeConversations(parts, await checkup.waitingInVain(BATCH)),
      },
      'stuck_conversations',
      count,
    ),
    workflowsChore(parts, count),
  ];
}

/** A worker with production's database and another Temporal must not end production's turns. */
async function compare(parts: Recovery, turns: TurnRef[]): Promise<number> {
  if (turns.length === 0) return 0;
  if (await isAcquainted(parts)) return endLostTurns(parts, turns);
  parts.logger.warn('Temporal knows none of the newest turns, and may be another one than theirs', {
    turns: turns.length,
  });
  return 0;
}

/**
 * Ends those whose workflow is gone; answers how many have ended. They and their claims are counted where turns are
 * sealed, whoever seals them.
 */
export function endLostTurns(parts: Recovery, turns: TurnRef[]): Promise<number> {
  return countDone(
    turns,
    async ({ tenant, turnId }) => heal(parts, tenant, await parts.store.turns.get(tenant, turnId)),
    (turn, error) => parts.logger.warn('turn not compared with Temporal', turnFields(turn, error)),
  );
}

/** Hands over those that nobody holds; answers how many those were. */
export function freeConversations(
  parts: Recovery,
  conversations: ConversationRef[],
): Promise<number> {
  return countDone(
    conversations,
    (conversation) => freeConversation(parts, conversation),
    (conversation, error) =>
      parts.logger.warn('conversation not freed', {
        ...conversation,
        error: describeError(error),
      }),
  );
}

async function freeConversation(
  parts: Recovery,
  { tenant, conversationId }: ConversationRef,
): Promise<boolean> {
  const { freed, next } = await parts.store.checkup.free(tenant, conversationId);
  if (freed) parts.logger.warn('conversation freed', { tenant, conversationId });
  if (next) await startOrLeave(parts, next);
  return freed;
}
