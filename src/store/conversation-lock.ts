import { TurnkeeperError } from '../contracts/errors.ts';
import type { Refused } from '../contracts/store.ts';
import type { Database, Queryable } from './database.ts';
import { findTurnWithInput } from './turn-rows.ts';

/** Carries the holder out of the transaction that it rolls back, the key included. */
export class Busy extends Error {
  readonly activeTurn: string;
  readonly full: boolean;
  constructor(activeTurn: string, { full }: { full: boolean }) {
    super('busy');
    this.activeTurn = activeTurn;
    this.full = full;
  }
}

interface LockedConversation {
  activeTurn: string | null;
  /** By the clock that deadlines are measured with. */
  nowMs: number;
}

/** Until the transaction ends, nothing gets the conversation, leaves its queue, or is put into it but by this one. */
export async function lockConversation(
  tx: Queryable,
  tenant: string,
  conversationId: string,
): Promise<LockedConversation> {
  const [row] = await tx.query<LockedConversation>(
    `SELECT active_turn AS "activeTurn", floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS "nowMs"
     FROM turnkeeper.conversations WHERE tenant = $1 AND id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE`,
    [tenant, conversationId],
  );
  if (!row) throw conversationNotFound(conversationId);
  return row;
}

export function conversationNotFound(id: string): TurnkeeperError {
  return new TurnkeeperError('conversation_not_found', `There is no conversation ${id}.`, { id });
}

/** What the transaction answers, or who was in its way. */
export async function unlessBusy<T>(
  db: Database,
  tenant: string,
  work: (tx: Queryable) => Promise<T>,
): Promise<T | Refused> {
  try {
    return await db.transaction(work);
  } catch (error) {
    if (!(error instanceof Busy)) throw error;
    const { turn, input } = await findTurnWithInput(db, tenant, error.activeTurn);
    return { kind: 'busy', full: error.full, active: turn, activeInput: input };
  }
}
