import { ModelError, type Model, type ModelEvent } from '../contracts/model.ts';
import { replyCollector } from '../conversation/collect.ts';
import { costOf } from '../conversation/pricing.ts';
import type { Metrics } from './metrics.ts';

/** Counts what model calls come to, and what they cost: as the provider says it, whatever becomes of the reply. */
export function meteredModel(
  model: Model,
  metrics: Metrics,
  labelOf: (model: string) => string,
): Model {
  return {
    async stream(request, options) {
      const call = { asked: request.model, label: labelOf(request.model) };
      try {
        const stream = await model.stream(request, options);
        return { ...stream, events: meteredEvents(stream.events, metrics, call) };
      } catch (error) {
        metrics.modelCalls.inc({ model: call.label, outcome: outcomeOf(error) });
        throw error;
      }
    },
  };
}

interface Call {
  /** The model that was asked for; the answer may name a snapshot of it. */
  asked: string;
  label: string;
}

async function* meteredEvents(
  events: AsyncIterable<ModelEvent>,
  metrics: Metrics,
  call: Call,
): AsyncGenerator<ModelEvent> {
  // Also of a reader that turns away in mid-stream.
  let outcome = 'aborted';
  try {
    for await (const event of events) {
      const end = ENDS[event.type];
      if (end !== undefined) {
        outcome = end;
        countTokens(event, metrics, call);
      }
      yield event;
    }
  } catch (error) {
    outcome = outcomeOf(error);
    throw error;
  } finally {
    metrics.modelCalls.inc({ model: call.label, outcome });
  }
}

const ENDS: Partial<Record<string, string>> = {
  'response.completed': 'completed',
  'response.incomplete': 'incomplete',
};

function outcomeOf(error: unknown): string {
  return error instanceof ModelError ? error.kind : 'aborted';
}

function countTokens(lastEvent: ModelEvent, metrics: Metrics, { asked, label }: Call): void {
  const collector = replyCollector();
  collector.add(lastEvent);
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
