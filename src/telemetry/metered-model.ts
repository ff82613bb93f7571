import type { Json } from '../contracts/json.ts';
import { ModelError, type Model, type ModelEvent, type ModelStream } from '../contracts/model.ts';
import { endOf, replyCollector, responseIdOf } from '../conversation/collect.ts';
import { costOf } from '../conversation/pricing.ts';
import type { Metrics } from './metrics.ts';

/** Counts what model calls come to, and what they cost: as the provider says it, whatever becomes of the reply. */
export function meteredModel(
  model: Model,
  metrics: Metrics,
  labelOf: (model: string) => string,
): Model {
  const callOf = (asked: string, background = false): Call => ({
    asked,
    label: labelOf(asked),
    findable: !background,
  });
  return {
    stream: (request, options) =>
      metered(metrics, callOf(request.model, request.background), () =>
        model.stream(request, options),
      ),
    async resume(response, options) {
      const call = callOf(response.model);
      const stream = await metered(metrics, call, () => model.resume(response, options));
      metrics.resumedResponses.inc({ model: call.label });
      return stream;
    },
    async poll(response, options) {
      const call = callOf(response.model);
      const finished = await failing(metrics, call, () => model.poll(response, options));
      if (finished) countEnd(String(finished['status']), finished, metrics, call);
      return finished;
    },
    async cancel(response) {
      try {
        // Possibly told twice: what it says is in the turn's usage alone.
        return await model.cancel(response);
      } catch (error) {
        metrics.failedStops.inc({ model: labelOf(response.model) });
        throw error;
      }
    },
  };
}

interface Call {
  /** The model that was asked for; the answer may name a snapshot of it. */
  asked: string;
  label: string;
  /** Whether its response ends with the connection, or has an id that we know. */
  findable: boolean;
}

async function metered(
  metrics: Metrics,
  call: Call,
  open: () => Promise<ModelStream>,
): Promise<ModelStream> {
  const stream = await failing(metrics, call, open);
  return { ...stream, events: meteredEvents(stream.events, metrics, call) };
}

async function failing<T>(metrics: Metrics, call: Call, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    countFailure(error, metrics, call);
    throw error;
  }
}

async function* meteredEvents(
  events: AsyncIterable<ModelEvent>,
  metrics: Metrics,
  call: Call,
): AsyncGenerator<ModelEvent> {
  // Also of a reader that turns away in mid-stream.
  let isOver = false;
  try {
    for await (const event of events) {
      call.findable ||= responseIdOf([event]) !== null;
      const end = endOf(event);
      if (end !== null) {
        isOver = true;
        countEnd(end, event['response'], metrics, call);
      }
      yield event;
    }
  } catch (error) {
    isOver = true;
    countFailure(error, metrics, call);
    throw error;
  } finally {
    if (!isOver) metrics.modelCalls.inc({ model: call.label, outcome: 'aborted' });
  }
}

function countFailure(error: unknown, metrics: Metrics, { label: model, findable }: Call): void {
  const failure = error instanceof ModelError ? error : null;
  metrics.modelCalls.inc({ model, outcome: failure?.kind ?? 'aborted' });
  if (!findable && failure && mayRun(failure)) metrics.orphans.inc({ model });
}

/** The create was neither refused nor kept from being sent; one told to stop is counted by the store. */
function mayRun({ kind, refused }: ModelError): boolean {
  return !refused && kind !== 'aborted';
}

function countEnd(outcome: string, response: Json | undefined, metrics: Metrics, call: Call): void {
  metrics.modelCalls.inc({ model: call.label, outcome });
  countTokens(response, metrics, call);
}

function countTokens(response: Json | undefined, metrics: Metrics, { asked, label }: Call): void {
  const collector = replyCollector();
  collector.add({ type: 'response', response: response ?? null });
  const { usage, model } = collector.result();
  const { inputTokens, outputTokens } = usage;
  // A server may say anything; counters only rise.
  const cachedTokens = Math.min(usage.cachedTokens, inputTokens);
  const reasoningTokens = Math.min(usage.reasoningTokens, outputTokens);
  const kinds = {
    input: inputTokens - cachedTokens,
    cached_input: cachedTokens,
    output: outputTokens - reasoningTokens,
    reasoning: reasoningTokens,
  };
  for (const [kind, tokens] of Object.entries(kinds))
    metrics.modelTokens.inc({ model: label, kind }, tokens);
  const dollars = costOf(model ?? asked, { inputTokens, cachedTokens, outputTokens });
  if (dollars !== null) metrics.modelCost.inc({ model: label }, dollars);
  else metrics.unpricedTokens.inc({ model: label }, inputTokens + outputTokens);
}
