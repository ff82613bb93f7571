import { TurnkeeperError } from '../contracts/errors.ts';
import type { AcceptTurn, Turn, TurnOrigin, TurnState, TurnStatus } from '../contracts/store.ts';
import type { TurnInput } from '../contracts/turn.ts';
import type { Queryable } from './database.ts';

export interface TurnRow {
  number: number;
  id: string;
  conversation_id: string;
  assistant_id: string;
  assistant_version: number;
  state: TurnState;
  status: TurnStatus;
  reason: string | null;
  message: string | null;
  workflow_input: TurnInput;
  deadline: Date;
  accepted_at: Date;
  started_at: Date | null;
  sealed_at: Date | null;
  compensation: Turn['compensation'];
  compensate_wanted: boolean;
  interrupts: string | null;
  origin_kind: TurnOrigin['kind'] | null;
  origin_turn: string | null;
}

/** Holds for a turn `t` unless its conversation is being deleted: then nobody knows it any more. */
export const NOT_DELETED = `NOT EXISTS (
  SELECT 1 FROM turnkeeper.conversations c WHERE c.id = t.conversation_id AND c.deleted_at IS NOT NULL)`;

export async function findTurn(db: Queryable, tenant: string, turnId: string): Promise<Turn> {
  return (await findTurnWithInput(db, tenant, turnId)).turn;
}

export async function findTurnWithInput(
  db: Queryable,
  tenant: string,
  turnId: string,
): Promise<{ turn: Turn; input: TurnInput }> {
  const [row] = await db.query<TurnRow>(
    `SELECT * FROM turnkeeper.turns t WHERE tenant = $1 AND id = $2 AND ${NOT_DELETED}`,
    [tenant, turnId],
  );
  if (!row) throw turnNotFound(turnId);
  return { turn: toTurn(row), input: row.workflow_input };
}

export function turnNotFound(id: string): TurnkeeperError {
  return new TurnkeeperError('turn_not_found', `There is no turn ${id}.`, { id });
}

export function toTurn(row: TurnRow): Turn {
  return {
    id: row.id,
    conversationId: row.conversation_id,
    assistantId: row.assistant_id,
    assistantVersion: row.assistant_version,
    state: row.state,
    status: row.status,
    reason: row.reason,
    message: row.message,
    deadline: row.deadline,
    acceptedAt: row.accepted_at,
    startedAt: row.started_at,
    sealedAt: row.sealed_at,
    compensation: compensationOf(row),
    interrupts: row.interrupts,
    origin: originOf(row),
  };
}

function compensationOf({ compensation, compensate_wanted: wanted, state }: TurnRow) {
  return compensation ?? (wanted && state !== 'sealed' ? 'requested' : null);
}

function originOf({ origin_kind: kind, origin_turn: turnId }: TurnRow): TurnOrigin | null {
  return kind === null || turnId === null ? null : { kind, turnId };
}

/** What was asked for at a turn's start and holds for one that is made from it, too. */
export async function carriedOver(
  db: Queryable,
  turnId: string,
): Promise<Pick<AcceptTurn, 'cancelAfterMs'>> {
  const [row] = await db.query<{ cancel_after_ms: number | null }>(
    'SELECT cancel_after_ms FROM turnkeeper.turns WHERE id = $1',
    [turnId],
  );
  const cancelAfterMs = row?.cancel_after_ms ?? null;
  return cancelAfterMs === null ? {} : { cancelAfterMs };
}

/** Says which turn this one was made from. */
export async function noteOrigin(tx: Queryable, turnId: string, origin: TurnOrigin): Promise<Turn> {
  const [row] = await tx.query<TurnRow>(
    'UPDATE turnkeeper.turns SET origin_kind = $2, origin_turn = $3 WHERE id = $1 RETURNING *',
    [turnId, origin.kind, origin.turnId],
  );
  if (!row) throw turnNotFound(turnId);
  return toTurn(row);
}
