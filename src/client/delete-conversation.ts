import { describeError } from '../contracts/thrown.ts';
import { finishDeletion } from '../recovery/deletions.ts';
import { clearingTheWay } from './clear-the-way.ts';
import type { Parts } from './parts.ts';
import { knownForm } from './requests.ts';

/** What a deletion does not reach, and until when it is there. */
export interface Remains {
  where: 'temporal' | 'backups' | 'provider' | 'documents' | 'sandboxes' | 'branches';
  what: string;
}

export interface DeletedConversation {
  id: string;
  /**
   * False: rows are left, which workers delete, once Temporal and the model provider are there to be told to stop what runs.
   * Nobody knows the conversation any more in either case.
   */
  finished: boolean;
  remains: Remains[];
}

const REMAINS: readonly Remains[] = [
  {
    where: 'temporal',
    what: 'Workflows of its turns, until the retention of the namespace ends: ids, times, names of activities and types of errors. What was encrypted cannot be read any more.',
  },
  { where: 'backups', what: 'All of it, in backups of the database from before.' },
  { where: 'provider', what: 'What the model provider keeps of its calls.' },
  { where: 'documents', what: 'Documents of the knowledge bases that its turns searched.' },
  {
    where: 'sandboxes',
    what: 'Containers of code that was cut off, until ten minutes after their deadline.',
  },
  { where: 'branches', what: 'Conversations that were made by editing one of its turns.' },
];

/** Deletes a conversation and all that is its own, healing the turn that holds it. */
export async function deleteConversation(parts: Parts, id: string): Promise<DeletedConversation> {
  const conversationId = knownForm(id, 'conversation_not_found');
  const { store, tenant } = parts;
  const { conversation } = await clearingTheWay(parts, conversationId, () =>
    store.conversations.delete(tenant, conversationId),
  );
  const finished = await finishDeletion(parts, conversation).catch((error: unknown) => {
    const fields = { tenant, conversationId, error: describeError(error) };
    parts.logger.warn('deletion of a conversation not finished', fields);
    return false;
  });
  return { id: conversationId, finished, remains: [...REMAINS] };
}
