import type { DeletedConversation } from '../contracts/store.ts';
import { describeError } from '../contracts/thrown.ts';
import type { Chore } from './chores.ts';
import { countDone } from './each.ts';
import type { Recovery } from './recovery.ts';

const ROWS_PER_TRANSACTION = 5_000;
/** Then it is left to the sweep, whose next round goes on. */
const MAX_TRANSACTIONS = 100;
/** How long whoever deletes a conversation has to finish, milliseconds. */
const GRACE_MS = 10_000;
const BATCH = 10;
const REASON = 'The conversation was deleted.';

/** Ends what may run for the conversation and deletes its rows. Answers whether none is left; repeating it goes on. */
export async function finishDeletion(
  parts: Recovery,
  conversation: DeletedConversation,
): Promise<boolean> {
  const { sweep } = parts.store;
  if (await endWorkflows(parts, conversation)) await sweep.markEnded(conversation.conversationId);
  for (let n = 0; n < MAX_TRANSACTIONS; n++) {
    const left = await sweep.removeRows(conversation, ROWS_PER_TRANSACTION);
    if (left !== 'some') return left === 'none';
  }
  return false;
}

/** They cannot go on without their key, and would try for ever. Answers whether none is left. */
async function endWorkflows(
  { starter, logger }: Recovery,
  { tenant, conversationId, workflows }: DeletedConversation,
): Promise<boolean> {
  try {
    for (const workflow of workflows) await starter.terminate(workflow, REASON);
    return true;
  } catch (error) {
    const fields = { tenant, conversationId, error: describeError(error) };
    logger.warn('workflows of a deleted conversation not terminated', fields);
    return false;
  }
}

/** Finishes what whoever deleted a conversation did not. */
export function deletionChore(parts: Recovery): Chore {
  return {
    name: 'finish deletions',
    async run() {
      const conversations = await parts.store.sweep.deletedConversations(GRACE_MS, BATCH);
      return countDone(
        conversations,
        (conversation) => finishDeletion(parts, conversation),
        ({ tenant, conversationId }, error) =>
          parts.logger.error('conversation not deleted', {
            ...{ tenant, conversationId },
            error: describeError(error),
          }),
      );
    },
  };
}
