import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/contracts/json.ts';
import {
  ModelError,
  type Model,
  type ModelEvent,
  type ModelRequest,
} from '../../src/contracts/model.ts';
import { modelLabels } from '../../src/telemetry/labels.ts';
import { meteredModel } from '../../src/telemetry/metered-model.ts';
import { createMetrics, type Metrics } from '../../src/telemetry/metrics.ts';
import { seriesOf, type Series } from './series.ts';

const REQUEST = { model: 'o1', input: [], tools: [] };
const CREATED: ModelEvent = { type: 'response.created', response: { id: 'resp_1' } };
const DELTA: ModelEvent = { type: 'response.output_text.delta', delta: 'Hi' };

function ended(type: string, usage: object, model = 'o1'): ModelEvent {
  const status = type.slice('response.'.length);
  return { type, response: { id: 'resp_1', status, model, output: [], usage: { ...usage } } };
}

const USAGE = {
  input_tokens: 1_000,
  input_tokens_details: { cached_tokens: 400 },
  output_tokens: 300,
  output_tokens_details: { reasoning_tokens: 100 },
};

/** A metered model that says these events, then fails where there is an error. */
function modelOf(events: ModelEvent[], error?: Error) {
  const metrics = createMetrics();
  const said = async () => ({
    requestId: null,
    events: (async function* () {
      yield* events;
      if (error) throw error;
    })(),
  });
  const real: Model = {
    stream: said,
    resume: said,
    poll: async () => null,
    cancel: async () => null,
  };
  return { metrics, model: meteredModel(real, metrics, modelLabels()) };
}

const signal = new AbortController().signal;

async function readAll(model: Model, request: ModelRequest = REQUEST): Promise<ModelEvent[]> {
  const { events } = await model.stream(request, { signal });
  const read: ModelEvent[] = [];
  for await (const event of events) read.push(event);
  return read;
}

/** What is counted of calls, without the fallbacks, which are not calls, and what only `respond` can count. */
async function callSeries(metrics: Metrics): Promise<Series> {
  const series = Object.entries(await seriesOf(metrics, 'turnkeeper_model'));
  return Object.fromEntries(series.filter(([name]) => !/fallbacks|internal_errors/.test(name)));
}

describe('a metered model', () => {
  it('counts a call, its tokens by kind and what they cost', async () => {
    const said = [DELTA, ended('response.completed', USAGE)];
    const { metrics, model } = modelOf(said);
    expect(await readAll(model)).toEqual(said);
    expect(await callSeries(metrics)).toEqual({
      'turnkeeper_model_calls_total{model="o1",outcome="completed"}': 1,
      'turnkeeper_model_tokens_total{model="o1",kind="input"}': 600,
      'turnkeeper_model_tokens_total{model="o1",kind="cached_input"}': 400,
      'turnkeeper_model_tokens_total{model="o1",kind="output"}': 200,
      'turnkeeper_model_tokens_total{model="o1",kind="reasoning"}': 100,
      'turnkeeper_model_cost_dollars_total{model="o1"}': (600 * 15 + 400 * 7.5 + 300 * 60) / 1e6,
    });
  });

  it('counts tokens of a model without a price as such', async () => {
    const { metrics, model } = modelOf([ended('response.incomplete', USAGE, 'home-grown')]);
    await readAll(model, { ...REQUEST, model: 'home-grown' });
    const series = await callSeries(metrics);
    expect(series).toMatchObject({
      'turnkeeper_model_calls_total{model="home-grown",outcome="incomplete"}': 1,
      'turnkeeper_model_unpriced_tokens_total{model="home-grown"}': 1_300,
    });
    expect(Object.keys(series).filter((name) => name.includes('dollars'))).toEqual([]);
  });

  it('prices the model that answered under the name of the one that was asked', async () => {
    const { metrics, model } = modelOf([ended('response.completed', USAGE, 'o1')]);
    await readAll(model, { ...REQUEST, model: 'alias-of-a-proxy' });
    expect(await seriesOf(metrics, 'turnkeeper_model_cost')).toEqual({
      'turnkeeper_model_cost_dollars_total{model="alias-of-a-proxy"}': 0.03,
    });
  });

  it('counts failed calls by what went wrong, before the stream and in it', async () => {
    const failure = new ModelError('rate_limited', 'Slow down.', { retryable: true });
    const { metrics, model } = modelOf([DELTA], failure);
    await expect(readAll(model)).rejects.toBe(failure);
    const refusing = { ...model, stream: () => Promise.reject(failure) };
    const metered = meteredModel(refusing, metrics, modelLabels());
    await expect(metered.stream(REQUEST, { signal })).rejects.toBe(failure);
    expect(await callSeries(metrics)).toEqual({
      'turnkeeper_model_calls_total{model="o1",outcome="rate_limited"}': 2,
    });
  });

  it('counts a call that its reader gives up as aborted', async () => {
    const { metrics, model } = modelOf([DELTA, DELTA, ended('response.completed', USAGE)]);
    const { events } = await model.stream(REQUEST, { signal });
    for await (const event of events) if (event === DELTA) break;
    expect(await callSeries(metrics)).toEqual({
      'turnkeeper_model_calls_total{model="o1",outcome="aborted"}': 1,
    });
  });

  it('counts responses in the background that were gone on with, by stream or by asking', async () => {
    const end = ended('response.completed', USAGE);
    const { metrics, model } = modelOf([end]);
    const response = { id: 'resp_1', model: 'o1' };
    const { events } = await model.resume(response, { after: 3, signal });
    for await (const event of events) expect(event).toBe(end);
    const finished = end['response'] as JsonObject;
    const asked = meteredModel({ ...model, poll: async () => finished }, metrics, modelLabels());
    expect(await asked.poll(response, { signal })).toBe(finished);
    expect(await callSeries(metrics)).toMatchObject({
      'turnkeeper_model_resumed_responses_total{model="o1"}': 1,
      'turnkeeper_model_calls_total{model="o1",outcome="completed"}': 2,
      'turnkeeper_model_tokens_total{model="o1",kind="input"}': 1_200,
    });
  });

  it.each([
    ['timeout', 'without having said its id', [], 1],
    ['timeout', 'behind its id', [CREATED], 0],
    ['connection', 'after it may have been sent', [], 1],
    ['connection', 'before it was sent', [], 0],
    ['aborted', 'as it was told', [], 0],
  ] as const)(
    'counts a background create that ends by %s %s',
    async (kind, when, said, orphans) => {
      const unsent = when === 'before it was sent';
      const failure = new ModelError(kind, 'It failed.', { retryable: true, unsent });
      const { metrics, model } = modelOf([...said], failure);
      await expect(readAll(model, { ...REQUEST, background: true })).rejects.toBe(failure);
      const counted = await seriesOf(metrics, 'turnkeeper_model_orphans');
      expect(Object.values(counted).reduce((sum, count) => sum + count, 0)).toBe(orphans);
    },
  );

  it('counts responses that could not be stopped', async () => {
    const { metrics, model } = modelOf([]);
    const failure = new ModelError('timeout', 'Nothing came.', { retryable: true });
    const failing = { ...model, cancel: () => Promise.reject(failure) };
    const metered = meteredModel(failing, metrics, modelLabels());
    await expect(metered.cancel({ id: 'resp_1', model: 'o1' })).rejects.toBe(failure);
    expect(await seriesOf(metrics, 'turnkeeper_model_failed_stops')).toEqual({
      'turnkeeper_model_failed_stops_total{model="o1"}': 1,
    });
  });

  it('is not upset by numbers that cannot be', async () => {
    const impossible = {
      input_tokens: 10,
      input_tokens_details: { cached_tokens: 99 },
      output_tokens: -5,
      output_tokens_details: { reasoning_tokens: 7 },
    };
    const { metrics, model } = modelOf([ended('response.completed', impossible)]);
    await readAll(model);
    expect(await seriesOf(metrics, 'turnkeeper_model_tokens')).toEqual({
      'turnkeeper_model_tokens_total{model="o1",kind="input"}': 0,
      'turnkeeper_model_tokens_total{model="o1",kind="cached_input"}': 10,
      'turnkeeper_model_tokens_total{model="o1",kind="output"}': 0,
      'turnkeeper_model_tokens_total{model="o1",kind="reasoning"}': 0,
    });
  });
});

describe('the label of a model', () => {
  it('is its name, but for a bounded number of names that no price list knows', () => {
    const labelOf = modelLabels();
    const labels = Array.from({ length: 1_000 }, (_, index) => labelOf(`made-up-${index}`));
    expect(new Set(labels).size).toBe(21);
    expect(labelOf('made-up-0')).toBe('made-up-0');
    expect(labelOf('made-up-999')).toBe('other');
    expect(labelOf('gpt-5')).toBe('gpt-5');
  });
});
