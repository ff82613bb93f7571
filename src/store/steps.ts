import type { AssistantDefinition } from '../contracts/assistant.ts';
import type { Item } from '../contracts/json.ts';
import { StepRefused } from '../contracts/store.ts';
import type { StepRef, StepStore, ToolCall, TurnContext } from '../contracts/store.ts';
import { toItem, type ItemRow } from './conversations.ts';
import type { Database, Queryable } from './database.ts';
import { beginStep, holdStep } from './ledger.ts';
import {
  abandonCalls,
  countFailedCalls,
  failCall,
  insertIntent,
  readUsage,
} from './model-calls.ts';
import { readSources } from './passages.ts';
import { settleFailure, settleResponse, settleRetrieval, settleTool } from './settle.ts';

export function stepStore(db: Database): StepStore {
  return {
    begin: (step) => db.transaction((tx) => beginStep(tx, step)),
    loadContext: (ref) => loadContext(db, ref),
    loadToolCall: (ref, callId) => loadToolCall(db, ref, callId),
    recordIntent: (ref, call) => db.transaction((tx) => recordIntent(tx, ref, call)),
    recordFailedCall: (ref, callId, failure) =>
      db.transaction(async (tx) => {
        if (await holdStep(tx, ref)) await failCall(tx, ref.turnId, callId, failure);
      }),
    settleRetrieval: (ref, passages) => db.transaction((tx) => settleRetrieval(tx, ref, passages)),
    settleResponse: (ref, response) => db.transaction((tx) => settleResponse(tx, ref, response)),
    settleTool: (ref, call) => db.transaction((tx) => settleTool(tx, ref, call)),
    settleFailure: (ref, failure, result) =>
      db.transaction((tx) => settleFailure(tx, ref, failure, result)),
  };
}

async function recordIntent(
  tx: Queryable,
  ref: StepRef,
  call: { model: string; inputTokens: number },
): Promise<{ callId: string; failedCalls: number }> {
  const step = await holdStep(tx, ref);
  if (!step) throw new StepRefused('step_fenced', `Step ${ref.step} is settled.`);
  await abandonCalls(tx, ref.turnId, ref.step);
  const baseEvent = step.base_event + step.appended;
  const callId = await insertIntent(tx, ref, { ...call, baseEvent });
  return { callId, failedCalls: await countFailedCalls(tx, ref.turnId, ref.step) };
}

interface ContextRow {
  conversation_id: string;
  end_user: string | null;
  definition: AssistantDefinition;
}

async function loadContext(db: Queryable, { tenant, turnId }: StepRef): Promise<TurnContext> {
  const [row] = await db.query<ContextRow>(
    `SELECT t.conversation_id, c.end_user, v.definition
     FROM turnkeeper.turns t
     JOIN turnkeeper.conversations c ON c.id = t.conversation_id
     JOIN turnkeeper.assistant_versions v
       ON v.assistant_id = t.assistant_id AND v.version = t.assistant_version
     WHERE t.tenant = $1 AND t.id = $2`,
    [tenant, turnId],
  );
  if (!row) throw new StepRefused('turn_not_found', `The store has no turn ${turnId}.`);
  const items = await db.query<ItemRow>(
    'SELECT position, turn_id, item, created_at FROM turnkeeper.items WHERE conversation_id = $1 ORDER BY position',
    [row.conversation_id],
  );
  return {
    conversationId: row.conversation_id,
    endUser: row.end_user,
    definition: row.definition,
    items: items.map(toItem),
    passages: await readSources(db, turnId),
    usedTokens: (await readUsage(db, turnId)).totalTokens,
  };
}

async function loadToolCall(
  db: Queryable,
  { tenant, turnId }: StepRef,
  callId: string,
): Promise<ToolCall> {
  const [row] = await db.query<{ conversation_id: string; end_user: string | null; item: Item }>(
    `SELECT t.conversation_id, c.end_user, i.item
     FROM turnkeeper.turns t
     JOIN turnkeeper.conversations c ON c.id = t.conversation_id
     JOIN turnkeeper.items i ON i.turn_id = t.id
     WHERE t.tenant = $1 AND t.id = $2 AND i.type = 'function_call' AND i.call_id = $3`,
    [tenant, turnId, callId],
  );
  if (!row)
    throw new StepRefused(
      'store_rolled_back',
      `The store has no call ${callId} of turn ${turnId}.`,
    );
  return { conversationId: row.conversation_id, endUser: row.end_user, item: row.item };
}
