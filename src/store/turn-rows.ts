import { TurnkeeperError } from '../contracts/errors.ts';
import type { Turn, TurnState, TurnStatus } from '../contracts/store.ts';
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
  };
}
