import type {
  BegunStep,
  RunningCall,
  SettleResponse,
  StepRef,
  TurnContext,
} from '../contracts/store.ts';
import type { ToolDefinition } from '../contracts/tools.ts';
import type { Reply, RespondInput } from '../contracts/turn.ts';
import { planCall } from '../conversation/context.ts';
import { mayFindWorker, persistently, stepRef, whileBeating } from './attempt.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { fallbackAnswer } from './fallback-answer.ts';
import { checkItems, settlement } from './finished-call.ts';
import { modelFailed, throwingFailures, toolMissing } from './failures.ts';
import { callFailure, concludeFailure } from './model-failure.ts';
import { safetyIdentifierOf } from './safety-identifier.ts';
import { logModelCall, stepFields } from './step-log.ts';
import { streamReply } from './stream-reply.ts';
import { tellRepairs } from './tell-repairs.ts';
import { markWaiting } from './waiting-calls.ts';

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
      : await callModel(
          dependencies,
          ref,
          { input, model },
          contextOf(context, begun),
          begun.running,
        );
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
  { input, model }: { input: RespondInput; model: string },
  context: TurnContext,
  running: RunningCall | undefined,
): Promise<Reply> {
  const { store } = dependencies;
  const { tools: names = [], clientTools = [] } = context.definition;
  const tools = dependencies.tools.including(clientTools);
  const offered = await resolveTools({ store, tools }, ref, [
    ...names,
    ...clientTools.map(({ name }) => name),
  ]);
  const safetyIdentifier = safetyIdentifierOf(context.endUser);
  const plan = planCall(context, { turnId: ref.turnId, model, safetyIdentifier }, offered);
  if (!plan) return settleWithoutCall(dependencies, ref, context, NO_TOKENS_LEFT);
  const { request, leftOut, inputTokens } = plan;
  await tellRepairs(dependencies, ref, plan.repairs);
  const background = request.background ?? false;
  const { callId, failedCalls } =
    running ?? (await store.steps.recordIntent(ref, { model, inputTokens, background }));
  const startedAt = Date.now();
  const log = { ref, endUser: context.endUser, request, leftOut, startedAt };
  try {
    const call = { callId, request, ...(running && { running }) };
    const streamed = await streamReply(dependencies, ref, call);
    const { reply, requestId } = streamed;
    checkItems(context, ref, reply);
    const finished = { ...streamed, callId, plan, offered };
    const settled = await settlement(dependencies, ref, finished);
    const asked = { ref, context, tools, offered };
    const response = input.last ? settled : await markWaiting(settled, asked);
    await settle(dependencies, ref, response);
    logModelCall(dependencies.logger, { ...log, requestId, usage: response.usage?.call ?? null });
    return response.reply;
  } catch (error) {
    const failure = callFailure(error);
    if (!failure) throw error;
    logModelCall(dependencies.logger, { ...log, requestId: failure.requestId, failure });
    throw await concludeFailure(store, ref, { error: failure, callId, failedCalls });
  }
}

/** What a call was estimated to take is not counted twice when an attempt goes on with it. */
function contextOf(
  context: TurnContext,
  { running }: Extract<BegunStep, { state: 'open' }>,
): TurnContext {
  return { ...context, usedTokens: context.usedTokens - (running?.inputTokens ?? 0) };
}

/** The assistant names its tools; what they are, the worker knows. */
async function resolveTools(
  { store, tools }: Pick<Dependencies, 'store' | 'tools'>,
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
