import { activityInfo } from '@temporalio/activity';
import type { Item } from '../contracts/json.ts';
import { ModelError, type ModelRequest } from '../contracts/model.ts';
import type { ConversationItem, ConversationSummary, SummaryWork } from '../contracts/store.ts';
import type { SummarizeActivities, SummarizeInput } from '../contracts/turn.ts';
import { replyCollector, type CollectedReply } from '../conversation/collect.ts';
import { isObject, textParts } from '../conversation/items.ts';
import { planSummary, summaryWithGap, type PlannedSummary } from '../conversation/summary.ts';
import { persistently, whileBeating } from './attempt.ts';
import { cancelSignal } from './cancellation.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { isExpected, messageOf, modelFailed, modelRetry, throwingFailures } from './failures.ts';
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
      throwingFailures(() => whileBeating(() => patiently(dependencies, input))),
  };
}

/** A mistake of this program's own is made again, and each time a model call is paid for: the sweep comes back to it. */
async function patiently(
  dependencies: Dependencies,
  input: SummarizeInput,
): Promise<{ more: boolean }> {
  try {
    return await summarize(dependencies, input);
  } catch (error) {
    if (isExpected(error)) throw error;
    const { tenant, conversationId: conversation } = input;
    const message = messageOf(error);
    dependencies.logger.error('summary failed', { tenant, conversation, error: message });
    throw activityInfo().attempt < PATIENCE
      ? error
      : modelFailed({ reason: 'internal_error', message });
  }
}

async function summarize(
  dependencies: Dependencies,
  input: SummarizeInput,
): Promise<{ more: boolean }> {
  const work = await dependencies.store.summaries.work(input.tenant, input.conversationId);
  return work ? carryOn(dependencies, { input, work }) : { more: false };
}

interface Task {
  input: SummarizeInput;
  work: SummaryWork;
}

/**
 * What no model reads, up to position `refused`, is halved until one item is left. The summary goes without that one, lest
 * nothing that comes after it is ever summarized.
 */
async function carryOn(
  dependencies: Dependencies,
  { input, work }: Task,
  refused: number | null = null,
): Promise<{ more: boolean }> {
  const { model, fallbackModel } = work.definition;
  const part = refused === null ? work : { ...work, items: firstHalf(work.items, refused) };
  const others = fallbackModel === undefined ? [] : [fallbackModel];
  const { text, through } = await read(dependencies, { input, work: part }, model, others);
  const [first] = work.items;
  if (text === null && through !== first?.position)
    return carryOn(dependencies, { input, work }, through);
  const summary = { text: text ?? summaryWithGap(work.summary), through };
  const extended = await extend(dependencies, { input, work }, summary);
  // Another attempt was faster, or this one and its answer was lost: then the next call looks again.
  if (extended === null || refused === null || through >= refused)
    return extended ?? { more: true };
  const items = work.items.filter(({ position }) => position > through);
  return carryOn(dependencies, { input, work: { ...work, summary, items } }, refused);
}

function firstHalf(items: ConversationItem[], through: number): ConversationItem[] {
  const slice = items.filter(({ position }) => position <= through);
  return slice.slice(0, Math.max(1, Math.floor(slice.length / 2)));
}

function extend(
  { store: { summaries } }: Dependencies,
  { input: { tenant, conversationId }, work }: Task,
  summary: ConversationSummary,
): Promise<{ more: boolean } | null> {
  const after = work.summary?.through ?? 0;
  return persistently(() => summaries.extend(tenant, conversationId, { after, summary }));
}

interface Read {
  /** Null when no model will read it. */
  text: string | null;
  /** Position of the last item that it is about. */
  through: number;
}

/** Asks the first model; the others when it fails for good, or for long. */
async function read(
  dependencies: Dependencies,
  task: Task,
  model: string,
  [next, ...others]: string[],
): Promise<Read> {
  const safetyIdentifier = safetyIdentifierOf(task.work.endUser);
  const plan = planSummary(task.work, { model, safetyIdentifier });
  const { through } = plan;
  try {
    return { text: await ask(dependencies, task.input, plan), through };
  } catch (error) {
    if (!(error instanceof ModelError) || error.kind === 'aborted') throw error;
    const isOver = !error.retryable || activityInfo().attempt >= PATIENCE;
    if (isOver && next !== undefined) return read(dependencies, task, next, others);
    if (error.kind === 'content_filter' || error instanceof OnlyThought)
      return { text: null, through };
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
    const { reply, requestId } = await replyOf(model, request);
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

async function replyOf(
  model: ActivityDependencies['model'],
  request: ModelRequest,
): Promise<{ reply: CollectedReply; requestId: string | null }> {
  const { events, requestId } = await model.stream(request, { signal: cancelSignal() });
  const collector = replyCollector();
  for await (const event of events) collector.add(event);
  return { reply: collector.result(), requestId };
}

/** Of less it may have less to think. */
class OnlyThought extends ModelError {
  constructor() {
    const message = 'The model has thought for as long as it may, and written no summary.';
    super('protocol', message, { retryable: false });
  }
}

/** One that was cut off at its longest is a summary all the same. */
function textOf({ items, incomplete }: CollectedReply): string {
  const parts = items.flatMap((item) => textParts(item, 'output_text'));
  const text = parts.join('\n').replaceAll('\u0000', '\ufffd').trim();
  if (incomplete === 'content_filter') throw unusable('content_filter', 'was filtered');
  if (text !== '') return text;
  if (incomplete !== null) throw new OnlyThought();
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
