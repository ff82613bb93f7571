import type { AssistantDefinition } from '../contracts/assistant.ts';
import type { Item, JsonObject } from '../contracts/json.ts';
import { StepRefused } from '../contracts/store.ts';
import type { ClaimedCall, ClaimTool, ToolCall } from '../contracts/store.ts';
import type { Database, Queryable } from './database.ts';
import { insertStep, takeOver } from './ledger.ts';

/** A call as the model made it, with what its tool needs to know. `tenant`, `turn` and `call` are parameters. */
const callOf = ({ tenant, turn, call }: Record<'tenant' | 'turn' | 'call', string>) => `
  SELECT t.conversation_id, c.end_user, i.item, a.edited_arguments, v.definition
  FROM turnkeeper.turns t
  JOIN turnkeeper.conversations c ON c.id = t.conversation_id
  JOIN turnkeeper.assistant_versions v
    ON v.assistant_id = t.assistant_id AND v.version = t.assistant_version
  JOIN turnkeeper.items i ON i.turn_id = t.id AND i.call_id = ${call} AND i.type = 'function_call'
  LEFT JOIN turnkeeper.actions a ON a.turn_id = t.id AND a.call_id = i.call_id
  WHERE t.tenant = ${tenant} AND t.id = ${turn}`;

interface ToolCallRow {
  conversation_id: string;
  end_user: string | null;
  item: Item;
  edited_arguments: JsonObject | null;
  definition: AssistantDefinition;
}

/** One statement where no attempt has begun the call before; it is claimed and read, or neither. */
export async function claimTool(db: Database, step: ClaimTool): Promise<ClaimedCall> {
  const [claimed] = await insertStep<ToolCallRow>(db, step, callOf);
  if (claimed) return { begun: { state: 'open', earlierAttempts: 0 }, call: toCall(claimed) };
  return db.transaction(async (tx) => {
    const call = await readCall(tx, step);
    await requireApproved(tx, step);
    return { begun: await takeOver(tx, step), call };
  });
}

/** Whatever a worker's own code makes of a call that waits: nothing that nobody has approved is begun. */
async function requireApproved(tx: Queryable, { turnId, callId }: ClaimTool): Promise<void> {
  const waiting = await tx.query(
    "SELECT 1 FROM turnkeeper.actions WHERE turn_id = $1 AND call_id = $2 AND state <> 'approved'",
    [turnId, callId],
  );
  if (waiting.length > 0)
    throw new StepRefused('step_fenced', `Nobody has approved call ${callId} of turn ${turnId}.`);
}

async function readCall(tx: Queryable, { tenant, turnId, callId }: ClaimTool): Promise<ToolCall> {
  const [row] = await tx.query<ToolCallRow>(callOf({ tenant: '$1', turn: '$2', call: '$3' }), [
    tenant,
    turnId,
    callId,
  ]);
  if (row) return toCall(row);
  throw new StepRefused('store_rolled_back', `The store has no call ${callId} of turn ${turnId}.`);
}

function toCall(row: ToolCallRow): ToolCall {
  return {
    conversationId: row.conversation_id,
    endUser: row.end_user,
    item: row.item,
    editedArguments: row.edited_arguments,
    clientTools: row.definition.clientTools ?? [],
  };
}
