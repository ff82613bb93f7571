import { ModelError } from '../contracts/model.ts';
import type { SettleResponse, StepRef, TurnContext } from '../contracts/store.ts';
import type { ToolDefinition } from '../contracts/tools.ts';
import type { Reply } from '../contracts/turn.ts';
import { callRefs, replyMistake } from '../conversation/calls.ts';
import type { CollectedReply } from '../conversation/collect.ts';
import type { PlannedCall } from '../conversation/context.ts';
import type { ActivityDependencies } from './dependencies.ts';
import type { StreamedReply } from './follow-response.ts';

interface FinishedCall extends StreamedReply {
  callId: string;
  plan: PlannedCall;
  offered: ToolDefinition[];
}

/** Throws `ModelError` on items that cannot be stored, or whose calls cannot be told apart. */
export function checkItems(
  { items }: TurnContext,
  { turnId }: StepRef,
  reply: CollectedReply,
): void {
  const earlier = items.filter((entry) => entry.turnId === turnId).map(({ item }) => item);
  const mistake = replyMistake(reply.items, earlier);
  if (mistake) throw new ModelError('protocol', mistake, { retryable: true });
}

/** What is to be stored of a finished call, in one transaction. */
export async function settlement(
  { appender }: Pick<ActivityDependencies, 'appender'>,
  ref: StepRef,
  { reply, requestId, rest, rewind, callId, plan, offered }: FinishedCall,
): Promise<SettleResponse> {
  const { responseId, usage } = reply;
  const model = reply.model ?? plan.request.model;
  const unwritten = await appender.take(ref);
  return {
    items: reply.items,
    reply: replyOf(reply, plan, offered),
    toolDefinitions: plan.request.tools,
    events: rewind ? rest : [...unwritten, ...rest],
    rewind,
    usage: { callId, call: { ...usage, responseId, requestId, model } },
    summarize: plan.summarize,
  };
}

function replyOf(reply: CollectedReply, plan: PlannedCall, offered: ToolDefinition[]): Reply {
  if (reply.incomplete !== null) {
    return { kind: 'incomplete', reason: incompleteReason(reply.incomplete, plan) };
  }
  const calls = callRefs(reply.items, offered);
  return calls.length > 0 ? { kind: 'calls', calls } : { kind: 'answer' };
}

/** The model knows its own limit only; that it was what the turn's cap had left, we know. */
function incompleteReason(told: string, { outputLimitedBy }: PlannedCall): string {
  return told === 'max_output_tokens' ? outputLimitedBy : told;
}
