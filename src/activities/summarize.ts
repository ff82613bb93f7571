import { activityInfo } from '@temporalio/activity';
import type { Item } from '../contracts/json.ts';
import { ModelError, type ModelRequest } from '../contracts/model.ts';
import type { ConversationSummary, SummaryWork } from '../contracts/store.ts';
import type { SummarizeActivities, SummarizeInput } from '../contracts/turn.ts';
import { replyCollector, type CollectedReply } from '../conversation/collect.ts';
import { isObject, textParts } from '../conversation/items.ts';
import { planSummary, summaryWithGap, type PlannedSummary } from '../conversation/summary.ts';
import { persistently, whileBeating } from './attempt.ts';
import { cancelSignal } from './cancellation.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { messageOf, modelFailed, modelRetry, throwingFailures } from './failures.ts';
import { safetyIdentifierOf } from './safety-identifier.ts';

type Dependencies = Pick<ActivityDependencies, 'store' | 'model' | 'logger'>;

/** From this attempt on the fallback model is asked as well. */
const PATIENCE = 4;
const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 600_000;

/** One model call that carries a conversation's summary on. No turn waits for it, so it may take its time. */
export function createSummarize(dependencies: Dependencies): SummarizeActivities {
  return {
    summarize: (input) =>
      throwingFailures(() => whileBeating(() => summarize(dependencies, input))),
  };
}

async function summarize(
  dependencies: Dependencies,
  input: SummarizeInput,
): Promise<{ more: boolean }> {
  const { summaries } = dependencies.store;
  const { tenant, conversationId } = input;
  const work = await summaries.work(tenant, conversationId);
  if (!work) return { more: false };
  const { model, fallbackModel } = work.definition;
  const others = fallbackModel === undefined ? [] : [fallbackModel];
  const summary = await carryOn(dependencies, { input, work }, model, others);
  const after = work.summary?.through ?? 0;
  const extended = await persistently(() =>
    summaries.extend(tenant, conversationId, { after, summary }),
  );
  // Another attempt was faster, or this one and its answer was lost: then the next call looks again.
  return extended ?? { more: true };
}

interface Task {
  input: SummarizeInput;
  work: SummaryWork;
}

/** Asks the first model; the others when it fails for good, or for long. */
async function carryOn(
  dependencies: Dependencies,
  task: Task,
  model: string,
  [next, ...others]: string[],
): Promise<ConversationSummary> {
  const { summary, endUser } = task.work;
  const plan = planSummary(task.work, { model, safetyIdentifier: safetyIdentifierOf(endUser) });
  const { through } = plan;
  try {
    return { text: await ask(dependencies, task.input, plan), through };
  } catch (error) {
    if (!(error instanceof ModelError) || error.kind === 'aborted') throw error;
    const isOver = !error.retryable || activityInfo().attempt >= PATIENCE;
    if (isOver && next !== undefined) return carryOn(dependencies, task, next, others);
    // What nobody reads is left out, lest nothing that comes after it is ever summarized.
    if (error.kind === 'content_filter') return { text: summaryWithGap(summary), through };
    throw failureOf(error);
  }
}

function failureOf(error: ModelError): Error {
  const failure = { reason: error.kind, message: messageOf(error) };
  if (!error.retryable) return modelFailed(failure);
  const ceiling = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (activityInfo().attempt - 1));
  const jittered = ceiling * (0.5 + Math.random() / 2);
  return modelRetry(failure, Math.max(error.retryAfterMs ?? 0, jittered));
}

async function ask(
  { model, logger }: Dependencies,
  { tenant, conversationId: conversation }: SummarizeInput,
  { request, through, maxCharacters }: PlannedSummary,
): Promise<string> {
  const startedAt = Date.now();
  const fields = () => ({ tenant, conversation, through, ms: Date.now() - startedAt });
  try {
    const { reply, requestId } = await read(model, request);
    const text = textOf(reply).slice(0, maxCharacters);
    logger.info('summary', {
      ...fields(),
      model: reply.model ?? request.model,
      request_id: requestId,
      response_id: reply.responseId,
      input_tokens: reply.usage.inputTokens,
      output_tokens: reply.usage.outputTokens,
    });
    return text;
  } catch (error) {
    if (error instanceof ModelError) {
      const failure = { request_id: error.requestId, failure: error.kind };
      logger.warn('summary failed', { ...fields(), model: request.model, ...failure });
    }
    throw error;
  }
}

async function read(
  model: ActivityDependencies['model'],
  request: ModelRequest,
): Promise<{ reply: CollectedReply; requestId: string | null }> {
  const { events, requestId } = await model.stream(request, { signal: cancelSignal() });
  const collector = replyCollector();
  for await (const event of events) collector.add(event);
  return { reply: collector.result(), requestId };
}

/** One that was cut off at its longest is a summary all the same. */
function textOf({ items, incomplete }: CollectedReply): string {
  const parts = items.flatMap((item) => textParts(item, 'output_text'));
  const text = parts.join('\n').replaceAll('\u0000', '\ufffd').trim();
  if (incomplete === 'content_filter') throw unusable('content_filter', 'was filtered');
  if (text !== '') return text;
  // Asking once more would come to the same, and cost the same.
  throw items.some(isRefusal)
    ? unusable('content_filter', 'was refused')
    : unusable('protocol', 'has no text');
}

function isRefusal({ content }: Item): boolean {
  return (
    Array.isArray(content) && content.some((part) => isObject(part) && part['type'] === 'refusal')
  );
}

function unusable(kind: 'content_filter' | 'protocol', mistake: string): ModelError {
  return new ModelError(kind, `The model's summary ${mistake}.`, { retryable: false });
}
