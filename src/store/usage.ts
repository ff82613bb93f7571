import type { ModelCall, Usage } from '../contracts/store.ts';
import { costOf } from '../conversation/pricing.ts';
import type { Queryable } from './database.ts';
import type { CallRow } from './model-calls.ts';

export async function readUsage(db: Queryable, turnId: string): Promise<Usage> {
  const rows = await db.query<CallRow>(
    'SELECT * FROM turnkeeper.model_calls WHERE turn_id = $1 ORDER BY number',
    [turnId],
  );
  const calls = rows.map(toCall);
  const sum = (pick: (call: ModelCall) => number) =>
    calls.reduce((total, call) => total + pick(call), 0);
  const inputTokens = sum((call) => call.inputTokens);
  const outputTokens = sum((call) => call.outputTokens);
  return {
    inputTokens,
    outputTokens,
    cachedTokens: sum((call) => call.cachedTokens),
    reasoningTokens: sum((call) => call.reasoningTokens),
    totalTokens: inputTokens + outputTokens,
    costUsd: costOfAll(calls),
    calls,
  };
}

function costOfAll(calls: ModelCall[]): number | null {
  return calls.reduce<number | null>((total, call) => {
    const cost = costOf(call.model, call);
    return total === null || cost === null ? null : total + cost;
  }, 0);
}

function toCall(row: CallRow): ModelCall {
  return {
    step: row.step_key,
    model: row.model,
    state: row.state,
    estimated: row.estimated,
    background: row.background,
    responseId: row.response_id,
    requestId: row.request_id,
    inputTokens: row.input_tokens,
    cachedTokens: row.cached_tokens,
    outputTokens: row.output_tokens,
    reasoningTokens: row.reasoning_tokens,
  };
}
