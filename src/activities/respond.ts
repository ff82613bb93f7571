import { ModelError } from '../contracts/model.ts';
import type { BegunStep, SettleResponse, StepRef, TurnContext } from '../contracts/store.ts';
import type { ToolDefinition } from '../contracts/tools.ts';
import type { Reply, RespondInput } from '../contracts/turn.ts';
import { callRefs, replyMistake } from '../conversation/calls.ts';
import type { CollectedReply } from '../conversation/collect.ts';
import { planCall, type PlannedCall } from '../conversation/context.ts';
import { mayFindWorker, persistently, stepRef, whileBeating } from './attempt.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { fallbackAnswer } from './fallback-answer.ts';
import { modelFailed, throwingFailures, toolMissing } from './failures.ts';
import { concludeFailure } from './model-failure.ts';
import { safetyIdentifierOf } from './safety-identifier.ts';
import { logModelCall, stepFields } from './step-log.ts';
import { streamReply } from './stream-reply.ts';

type Dependencies = Pick<ActivityDependencies, 'store' | 'appender' | 'model' | 'tools' | 'logger'>;

/** One model call: loads the context, streams the reply into the turn's events, stores its items. */
export function createRespond(dependencies: Dependencies) {
  return (input: RespondInput): Promise<Reply> =>
    throwingFailures(() => whileBeating(() => respond(dependencies, input)));
}

async function respond(dependencies: Dependencies, input: RespondInput): Promise<Reply> {
  const { store, appender } = dependencies;
  const ref = stepRef(input);
  const { model, follows, after } = input;
  // Both at once: a context that is older than the step is of use to it, for nobody else adds to a turn's conversation.
  const [begun, context] = await Promise.all([
    store.steps.begin({ ...ref, after, kind: 'respond', model, follows }),
    store.steps.loadContext(ref),
  ]);
  if (begun.state === 'settled') return settledReply(begun);
  try {
    return model === null
      ? await settleWithoutCall(dependencies, ref, context, fallbackAnswer(input, context))
      : await callModel(dependencies, ref, model, context);
  } finally {
    appender.release(ref);
  }
}

function settledReply(step: Extract<BegunStep, { state: 'settled' }>): Reply {
  if (step.status === 'failed') {
    throw modelFailed(step.error ?? { reason: 'internal_error', message: 'The step had failed.' });
  }
  return step.result as unknown as Reply;
}

async function settle(
  { store }: Dependencies,
  ref: StepRef,
  response: SettleResponse,
): Promise<Reply> {
  await persistently(() => store.steps.settleResponse(ref, response));
  return response.reply;
}

async function callModel(
  dependencies: Dependencies,
  ref: StepRef,
  model: string,
  context: TurnContext,
): Promise<Reply> {
  const { store } = dependencies;
  const offered = await resolveTools(dependencies, ref, context.definition.tools ?? []);
  const safetyIdentifier = safetyIdentifierOf(context.endUser);
  const plan = planCall(context, { turnId: ref.turnId, model, safetyIdentifier }, offered);
  if (!plan) return settleWithoutCall(dependencies, ref, context, NO_TOKENS_LEFT);
  const { callId, failedCalls } = await store.steps.recordIntent(ref, {
    model,
    inputTokens: plan.inputTokens,
  });
  const startedAt = Date.now();
  const { request, leftOut } = plan;
  const log = { ref, endUser: context.endUser, request, leftOut, startedAt };
  try {
    const { reply, requestId } = await streamReply(dependencies, ref, request);
    checkItems(context, ref, reply);
    const response = await settlement(dependencies, ref, {
      reply,
      requestId,
      callId,
      plan,
      offered,
    });
    await settle(dependencies, ref, response);
    logModelCall(dependencies.logger, { ...log, requestId, usage: response.usage?.call ?? null });
    return response.reply;
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    logModelCall(dependencies.logger, { ...log, requestId: error.requestId, failure: error });
    throw await concludeFailure(store, ref, { error, callId, failedCalls });
  }
}

/** The assistant names its tools; what they are, the worker knows. */
async function resolveTools(
  { store, tools }: Dependencies,
  ref: StepRef,
  names: string[],
): Promise<ToolDefinition[]> {
  const missing = names.filter((name) => !tools.get(name));
  if (missing.length > 0) {
    // While a deployment rolls, another worker may have it.
    if (mayFindWorker()) throw toolMissing(missing);
    const message = `This worker has no tool ${missing.join(', ')}.`;
    const failure = { reason: 'tool_not_registered', message };
    await store.steps.settleFailure(ref, failure);
    throw modelFailed(failure);
  }
  return names.flatMap((name) => tools.get(name) ?? []);
}

const NO_TOKENS_LEFT: SettleResponse = {
  items: [],
  reply: { kind: 'incomplete', reason: 'max_turn_tokens' },
  toolDefinitions: [],
  events: [],
  usage: null,
  summarize: null,
};

async function settleWithoutCall(
  dependencies: Dependencies,
  ref: StepRef,
  { endUser }: TurnContext,
  response: SettleResponse,
): Promise<Reply> {
  const startedAt = Date.now();
  const reply = await settle(dependencies, ref, response);
  dependencies.logger.info('step', {
    ...stepFields(ref, startedAt),
    end_user: endUser,
    model: null,
  });
  return reply;
}

function checkItems({ items }: TurnContext, { turnId }: StepRef, reply: CollectedReply): void {
  const earlier = items.filter((entry) => entry.turnId === turnId).map(({ item }) => item);
  const mistake = replyMistake(reply.items, earlier);
  if (mistake) throw new ModelError('protocol', mistake, { retryable: true });
}

interface Finished {
  reply: CollectedReply;
  requestId: string | null;
  callId: string;
  plan: PlannedCall;
  offered: ToolDefinition[];
}

async function settlement(
  { appender }: Dependencies,
  ref: StepRef,
  { reply, requestId, callId, plan, offered }: Finished,
): Promise<SettleResponse> {
  const { responseId, usage } = reply;
  const model = reply.model ?? plan.request.model;
  return {
    items: reply.items,
    reply: replyOf(reply, plan, offered),
    toolDefinitions: plan.request.tools,
    events: await appender.take(ref),
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
