import { TurnkeeperError } from '../contracts/errors.ts';
import type { Turn, TurnOrigin, TurnState, TurnStatus } from '../contracts/store.ts';
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
  interrupts: string | null;
  origin_kind: TurnOrigin['kind'] | null;
  origin_turn: string | null;
}

export async function findTurn(db: Queryable, tenant: string, turnId: string): Promise<Turn> {
  return (await findTurnWithInput(db, tenant, turnId)).turn;
}

export async function findTurnWithInput(
  db: Queryable,
  tenant: string,
  turnId: string,
): Promise<{ turn: Turn; input: TurnInput }> {
  const [row] = await db.query<TurnRow>(
    'SELECT * FROM turnkeeper.turns WHERE tenant = $1 AND id = $2',
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
    compensation: row.compensation,
    interrupts: row.interrupts,
    origin: originOf(row),
  };
}

function originOf({ origin_kind: kind, origin_turn: turnId }: TurnRow): TurnOrigin | null {
  return kind === null || turnId === null ? null : { kind, turnId };
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
