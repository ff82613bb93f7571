import type { AssistantDefinition } from '../contracts/assistant.ts';
import { isOrphan, StepRefused } from '../contracts/store.ts';
import type {
  ConversationItem,
  IntendedCall,
  StepRef,
  StepStore,
  TurnContext,
} from '../contracts/store.ts';
import { toItem, toSummary, type ItemRow, type SummaryColumns } from './conversations.ts';
import type { Database, Queryable } from './database.ts';
import { beginStep, holdStep } from './ledger.ts';
import {
  abandonCalls,
  countFailedCalls,
  failCall,
  insertFirstIntent,
  insertIntent,
} from './model-calls.ts';
import { readSources } from './passages.ts';
import { recordRepairs } from './repairs.ts';
import { settleFailure, settleResponse, settleRetrieval } from './settle.ts';
import { settleTool } from './settle-tool.ts';
import { claimTool } from './tool-calls.ts';

export function stepStore(db: Database): StepStore {
  return {
    begin: (step) => beginStep(db, step),
    claim: (step) => claimTool(db, step),
    loadContext: (ref) => loadContext(db, ref),
    recordRepairs: (ref, repairs) => db.transaction((tx) => recordRepairs(tx, ref, repairs)),
    recordIntent: (ref, call) => recordIntent(db, ref, call),
    recordFailedCall: (ref, callId, failure) =>
      db.transaction(async (tx) => {
        if (await holdStep(tx, ref)) await failCall(tx, ref.turnId, callId, failure);
      }),
    settleRetrieval: (ref, passages) => db.transaction((tx) => settleRetrieval(tx, ref, passages)),
    settleResponse: (ref, response) => db.transaction((tx) => settleResponse(tx, ref, response)),
    settleTool: (ref, call) => settleTool(db, ref, call),
    settleFailure: (ref, failure, result) =>
      db.transaction((tx) => settleFailure(tx, ref, failure, result)),
  };
}

async function recordIntent(
  db: Database,
  ref: StepRef,
  call: IntendedCall,
): ReturnType<StepStore['recordIntent']> {
  const callId = await insertFirstIntent(db, ref, call);
  if (callId !== null) return { callId, failedCalls: 0, abandonedCalls: 0, orphans: 0 };
  return db.transaction((tx) => recordNextIntent(tx, ref, call));
}

async function recordNextIntent(
  tx: Queryable,
  ref: StepRef,
  call: IntendedCall,
): ReturnType<StepStore['recordIntent']> {
  const step = await holdStep(tx, ref);
  if (!step) throw new StepRefused('step_fenced', `Step ${ref.step} is settled.`);
  const abandoned = await abandonCalls(tx, ref.turnId, ref.step);
  const baseEvent = step.base_event + step.appended;
  const callId = await insertIntent(tx, ref, { ...call, baseEvent });
  const failedCalls = await countFailedCalls(tx, ref.turnId, ref.step);
  const orphans = abandoned.filter(isOrphan).length;
  return { callId, failedCalls, abandonedCalls: abandoned.length, orphans };
}

interface ContextRow extends SummaryColumns {
  used_tokens: number;
  has_passages: boolean;
  summary_wanted: number;
  conversation_id: string;
  end_user: string | null;
  age_ms: number;
  definition: AssistantDefinition;
}

async function loadContext(db: Queryable, { tenant, turnId }: StepRef): Promise<TurnContext> {
  const [row] = await db.query<ContextRow>(
    `SELECT t.conversation_id, c.end_user, v.definition, c.summary, c.summary_through, c.summary_wanted,
       (extract(epoch FROM clock_timestamp() - t.accepted_at) * 1000)::float8 AS age_ms,
       (SELECT coalesce(sum(m.input_tokens + m.output_tokens), 0)::bigint
        FROM turnkeeper.model_calls m WHERE m.turn_id = t.id) AS used_tokens,
       EXISTS (SELECT 1 FROM turnkeeper.passages p WHERE p.turn_id = t.id) AS has_passages
     FROM turnkeeper.turns t
     JOIN turnkeeper.conversations c ON c.id = t.conversation_id
     JOIN turnkeeper.assistant_versions v
       ON v.assistant_id = t.assistant_id AND v.version = t.assistant_version
     WHERE t.tenant = $1 AND t.id = $2`,
    [tenant, turnId],
  );
  if (!row) throw new StepRefused('turn_not_found', `The store has no turn ${turnId}.`);
  return {
    conversationId: row.conversation_id,
    endUser: row.end_user,
    ageMs: row.age_ms,
    definition: row.definition,
    summary: toSummary(row),
    summaryWanted: row.summary_wanted,
    items: await unsummarizedItems(db, turnId, row),
    passages: row.has_passages ? await readSources(db, turnId) : [],
    usedTokens: row.used_tokens,
  };
}

/** Read after the summary: where that is extended meanwhile, these are all the items behind the one that was read. */
async function unsummarizedItems(
  db: Queryable,
  turnId: string,
  { conversation_id: conversationId, summary_through: through }: ContextRow,
): Promise<ConversationItem[]> {
  const rows = await db.query<ItemRow>(
    `SELECT position, turn_id, item, created_at FROM turnkeeper.items
     WHERE conversation_id = $1 AND position > $2 AND superseded_by IS NULL
     UNION ALL
     SELECT position, turn_id, item, created_at FROM turnkeeper.items WHERE turn_id = $3 AND position <= $2
     ORDER BY position`,
    [conversationId, through, turnId],
  );
  return rows.map(toItem);
}
