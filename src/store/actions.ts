import type { ActionKind, ActionsRead, ActionState } from '../contracts/actions.ts';
import type { Item, JsonObject } from '../contracts/json.ts';
import { StepRefused } from '../contracts/store.ts';
import type { Action, ActionStore } from '../contracts/store.ts';
import type { Database, Queryable } from './database.ts';
import { submitActions } from './submissions.ts';
import { findTurn } from './turn-rows.ts';

export function actionStore(db: Database): ActionStore {
  return {
    async list(tenant, turnId) {
      await findTurn(db, tenant, turnId);
      return await listActions(db, turnId);
    },
    read: (tenant, turnId, callIds) =>
      db.transaction((tx) => readActions(tx, { tenant, turnId }, callIds)),
    parametersOf: (tenant, turnId, callId) => parametersOf(db, { tenant, turnId }, callId),
    submit: (tenant, turnId, submission) =>
      db.transaction((tx) => submitActions(tx, { tenant, turnId }, submission)),
  };
}

interface ActionRow {
  call_id: string;
  kind: ActionKind;
  state: ActionState;
  item: Item;
  edited_arguments: JsonObject | null;
  reason: string | null;
  deadline: Date;
  requested_at: Date;
  decided_at: Date | null;
}

async function listActions(db: Queryable, turnId: string): Promise<Action[]> {
  const rows = await db.query<ActionRow>(
    `SELECT a.*, i.item FROM turnkeeper.actions a
     JOIN turnkeeper.items i ON i.turn_id = a.turn_id AND i.call_id = a.call_id AND i.type = 'function_call'
     WHERE a.turn_id = $1 ORDER BY i.position`,
    [turnId],
  );
  return rows.map((row) => ({
    callId: row.call_id,
    name: String(row.item['name']),
    kind: row.kind,
    state: row.state,
    arguments: JSON.parse(String(row.item['arguments'] || '{}')) as JsonObject,
    editedArguments: row.edited_arguments,
    reason: row.reason,
    deadline: row.deadline,
    requestedAt: row.requested_at,
    decidedAt: row.decided_at,
  }));
}

interface ReadRow {
  state: string;
  states: Record<string, ActionState>;
  left_ms: number;
  time_left_ms: number | null;
}

/**
 * Waits for a submission that is being stored, so that it is either read here or finds the deadline passed. One statement
 * behind the lock: the states and the time that is left belong together.
 */
async function readActions(
  tx: Queryable,
  { tenant, turnId }: { tenant: string; turnId: string },
  callIds: string[],
): Promise<ActionsRead> {
  const [, [row]] = await Promise.all([
    tx.query('SELECT 1 FROM turnkeeper.turns WHERE tenant = $1 AND id = $2 FOR SHARE', [
      tenant,
      turnId,
    ]),
    tx.query<ReadRow>(
      `SELECT t.state, t.time_left_ms, (extract(epoch FROM t.deadline - clock_timestamp()) * 1000)::float8 AS left_ms,
       (SELECT coalesce(json_object_agg(a.call_id, a.state), '{}') FROM turnkeeper.actions a
        WHERE a.turn_id = t.id AND a.call_id = ANY ($3)) AS states
     FROM turnkeeper.turns t WHERE t.tenant = $1 AND t.id = $2`,
      [tenant, turnId, callIds],
    ),
  ]);
  if (!row) throw new StepRefused('turn_not_found', `The store has no turn ${turnId}.`);
  if (row.state === 'sealed') throw new StepRefused('turn_sealed', `Turn ${turnId} has ended.`);
  if (Object.keys(row.states).length < callIds.length)
    throw new StepRefused('store_rolled_back', `The store has not all actions of turn ${turnId}.`);
  const leftMs = Math.ceil(row.left_ms);
  const waits = row.time_left_ms !== null;
  return {
    states: row.states,
    waitMs: waits ? Math.max(0, leftMs) : null,
    timeLeftMs: row.time_left_ms ?? Math.max(0, leftMs),
  };
}

async function parametersOf(
  db: Queryable,
  { tenant, turnId }: { tenant: string; turnId: string },
  callId: string,
): Promise<JsonObject | null> {
  const [row] = await db.query<{ item: Item; tools: JsonObject[] | null }>(
    `SELECT i.item, s.tool_definitions AS tools FROM turnkeeper.turns t
     JOIN turnkeeper.actions a ON a.turn_id = t.id AND a.call_id = $3
     JOIN turnkeeper.items i ON i.turn_id = t.id AND i.call_id = $3 AND i.type = 'function_call'
     JOIN turnkeeper.steps s ON s.turn_id = t.id AND s.key = i.step_key
     WHERE t.tenant = $1 AND t.id = $2`,
    [tenant, turnId, callId],
  );
  const tool = row?.tools?.find(({ name }) => name === row.item['name']);
  return (tool?.['parameters'] as JsonObject | undefined) ?? null;
}
