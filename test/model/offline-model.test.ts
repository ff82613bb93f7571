import { once } from 'node:events';
import { spawn } from 'node:child_process';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startOfflineModel } from '../support/offline-model.ts';
import type { OfflineModelProcess } from '../support/offline-model.ts';

type StreamEvent = OpenAI.Responses.ResponseStreamEvent;

let offline: OfflineModelProcess;
let client: OpenAI;
beforeAll(async () => {
  offline = await startOfflineModel();
  client = new OpenAI({ apiKey: 'key', baseURL: offline.baseUrl, maxRetries: 0, logLevel: 'off' });
});
afterAll(async () => {
  await offline.stop();
});

async function collect(stream: AsyncIterable<StreamEvent>): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

/** Reads until the connection breaks. */
async function collectUntilCut(stream: AsyncIterable<StreamEvent>): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  await expect(async () => {
    for await (const event of stream) events.push(event);
  }).rejects.toThrow('terminated');
  return events;
}

function finalResponse(events: StreamEvent[]): OpenAI.Responses.Response {
  const last = events.at(-1);
  if (last?.type !== 'response.completed')
    throw new Error(`The stream ended with ${String(last?.type)}.`);
  return last.response;
}

function text(events: StreamEvent[]): string {
  return events
    .map((event) => (event.type === 'response.output_text.delta' ? event.delta : ''))
    .join('');
}

describe('creating a response', () => {
  it('answers plainly, with usage that adds up', async () => {
    await offline.script([{ kind: 'answer', text: 'Good morning' }]);
    const { data: response, request_id } = await client.responses
      .create({ model: 'm', input: 'Hi <|endoftext|>', instructions: 'Be brief.' })
      .withResponse();
    expect(response).toMatchObject({
      status: 'completed',
      output_text: 'Good morning',
      model: 'm',
    });
    expect(response.usage).toMatchObject({
      input_tokens_details: { cached_tokens: 0 },
      output_tokens_details: { reasoning_tokens: 0 },
    });
    const { input_tokens = 0, output_tokens = 0, total_tokens } = response.usage ?? {};
    expect(input_tokens).toBeGreaterThan(5);
    expect(output_tokens).toBeGreaterThan(1);
    expect(total_tokens).toBe(input_tokens + output_tokens);
    expect(await offline.journal()).toMatchObject([
      {
        id: request_id,
        method: 'POST',
        path: '/v1/responses',
        responseId: response.id,
        finished: true,
        aborted: false,
        headers: { authorization: '[redacted]' },
      },
    ]);
  });

  it('reports the usage a script asks for', async () => {
    const usage = { inputTokens: 100, cachedTokens: 64, outputTokens: 7, reasoningTokens: 3 };
    await offline.script([{ kind: 'answer', text: 'ok', usage }]);
    const response = await client.responses.create({ model: 'm', input: 'Hi' });
    expect(response.usage).toEqual({
      input_tokens: 100,
      input_tokens_details: { cached_tokens: 64, cache_write_tokens: 0 },
      output_tokens: 7,
      output_tokens_details: { reasoning_tokens: 3 },
      total_tokens: 107,
    });
  });

  it('streams an answer that the SDK puts together, its deltas cut as asked', async () => {
    await offline.script([{ kind: 'answer', text: 'abc😀efgh', chunks: 4 }]);
    const stream = client.responses.stream({ model: 'm', input: 'Hi' });
    const deltas: string[] = [];
    stream.on('response.output_text.delta', ({ delta }) => deltas.push(delta));
    expect((await stream.finalResponse()).output_text).toBe('abc😀efgh');
    expect(deltas).toEqual(['ab', 'c😀', 'ef', 'gh']);
  });

  it('streams function calls in parallel, after a text', async () => {
    await offline.script([
      {
        kind: 'calls',
        text: 'Let me look.',
        calls: [
          { name: 'f', arguments: { a: 'b c' } },
          { name: 'g', arguments: '{', callId: 'call_g' },
        ],
      },
    ]);
    const events = await collect(
      await client.responses.create({ model: 'm', input: 'Hi', stream: true }),
    );
    expect(finalResponse(events).output).toMatchObject([
      { type: 'message', content: [{ text: 'Let me look.' }] },
      { type: 'function_call', name: 'f', arguments: '{"a":"b c"}', status: 'completed' },
      { type: 'function_call', name: 'g', arguments: '{', call_id: 'call_g' },
    ]);
    const ofFirstCall = events.filter(
      (event) => 'output_index' in event && event.output_index === 1,
    );
    expect(ofFirstCall.map((event) => event.type)).toEqual([
      'response.output_item.added',
      'response.function_call_arguments.delta',
      'response.function_call_arguments.delta',
      'response.function_call_arguments.done',
      'response.output_item.done',
    ]);
  });

  it('streams items of any type, with the events of those it knows', async () => {
    const annotation = {
      type: 'url_citation',
      url: 'https://a.b',
      title: 'A',
      start_index: 0,
      end_index: 2,
    };
    await offline.script([
      {
        kind: 'items',
        items: [
          { type: 'reasoning', summary: [{ type: 'summary_text', text: 'Think first.' }] },
          { type: 'web_search_call', status: 'completed', action: { type: 'search', query: 'a' } },
          {
            type: 'message',
            role: 'assistant',
            status: 'completed',
            content: [
              { type: 'output_text', text: 'See [1]', annotations: [annotation] },
              { type: 'output_text', text: ' and no more' },
            ],
          },
          { type: 'mcp_list_tools', server_label: 's', tools: [] },
        ],
      },
    ]);
    const events = await collect(
      await client.responses.create({ model: 'm', input: 'Hi', stream: true }),
    );
    const types = events.map((event) => event.type);
    expect(types).toContain('response.reasoning_summary_text.delta');
    expect(types).toContain('response.web_search_call.searching');
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'response.output_text.annotation.added', annotation }),
    );
    expect(text(events)).toBe('See [1] and no more');
    const { output } = finalResponse(events);
    expect(output.map((item) => item.type)).toEqual([
      'reasoning',
      'web_search_call',
      'message',
      'mcp_list_tools',
    ]);
    expect(new Set(output.map((item) => item.id)).size).toBe(4);
  });

  it('gives every response, item and call an id of its own', async () => {
    await offline.script([{ kind: 'calls', calls: [{ name: 'f', arguments: {} }], times: 2 }]);
    const first = await client.responses.create({ model: 'm', input: 'Hi' });
    const second = await client.responses.create({ model: 'm', input: 'Hi' });
    const json = JSON.stringify([first, second]);
    expect(new Set(json.match(/(?<=:")(?:resp|fc|call)_[^"]*/g)).size).toBe(6);
  });
});

describe('what it refuses, as OpenAI does', () => {
  const call = { type: 'function_call', call_id: 'call_x', name: 'f', arguments: '{}' } as const;
  const output = { type: 'function_call_output', call_id: 'call_x', output: '1' } as const;
  const user = { type: 'message', role: 'user', content: 'Hi' } as const;
  const answer = { type: 'message', role: 'assistant', content: 'Hello' } as const;
  const thought: OpenAI.Responses.ResponseReasoningItem = {
    ...{ type: 'reasoning', id: 'rs_1', summary: [] },
  };

  it.each([
    ['a call without its output', [call], 'No tool output found for function call call_x.'],
    [
      'an output without its call',
      [output],
      'No tool call found for function call output with call_id call_x.',
    ],
    [
      'an output before its call',
      [output, call],
      'No tool call found for function call output with call_id call_x.',
    ],
    [
      'two calls with one output',
      [call, call, output],
      'No tool output found for function call call_x.',
    ],
    [
      'reasoning with nothing behind it',
      [thought, user],
      "Item 'rs_1' of type 'reasoning' was provided without its required following item.",
    ],
    [
      'an item twice',
      [user, { ...answer, id: 'msg_1' }, user, { ...answer, id: 'msg_1' }],
      'Duplicate item found with id msg_1. Remove duplicate items from your input and try again.',
    ],
  ])('%s', async (_what, input, message) => {
    await offline.script([{ kind: 'answer', text: 'ok' }]);
    await expect(client.responses.create({ model: 'm', input })).rejects.toMatchObject({
      status: 400,
      type: 'invalid_request_error',
      param: 'input',
      error: { message },
    });
    expect(await offline.state()).toMatchObject({ stepsLeft: 1 });
  });

  it.each([
    ['an item of no known type', { type: 'hologram' }, 'input[0].type'],
    ['a status that items have not', { ...user, status: 'queued' }, 'input[0].status'],
    ['a call id that is too long', { ...call, call_id: 'x'.repeat(65) }, 'input[0].call_id'],
    ['reasoning without a summary', { type: 'reasoning', id: 'rs_1' }, 'input[0].summary'],
    [
      'a part that an assistant does not send',
      { ...answer, content: [{ type: 'input_text', text: 'Hello' }] },
      'input[0].content[0]',
    ],
  ])('%s', async (_what, item, param) => {
    const input = [item] as OpenAI.Responses.ResponseInput;
    await expect(client.responses.create({ model: 'm', input })).rejects.toMatchObject({
      status: 400,
      param,
    });
  });

  it('takes a call together with its output', async () => {
    await offline.script([{ kind: 'answer', text: 'ok' }]);
    const { output_text } = await client.responses.create({ model: 'm', input: [call, output] });
    expect(output_text).toBe('ok');
  });

  it.each([
    [
      'a model that does not exist',
      { model: 'no-such-model', input: 'Hi' },
      404,
      'model_not_found',
    ],
    [
      'a background response that is not stored',
      { model: 'm', input: 'Hi', background: true, store: false },
      400,
      null,
    ],
    [
      'a previous response, which it does not know',
      { model: 'm', input: 'Hi', previous_response_id: 'r' },
      400,
      null,
    ],
  ])('%s', async (_what, body, status, code) => {
    await expect(client.responses.create(body)).rejects.toMatchObject({ status, code });
  });

  it('a body that is no JSON, and a path it does not serve', async () => {
    const broken = await fetch(`${offline.baseUrl}/responses`, { method: 'POST', body: '{' });
    expect(broken.status).toBe(400);
    const nowhere = await fetch(`${offline.baseUrl}/chat/completions`, { method: 'POST' });
    expect(nowhere.status).toBe(404);
    expect(nowhere.headers.get('x-request-id')).toMatch(/^req_/);
    expect(await nowhere.json()).toMatchObject({
      error: { type: 'invalid_request_error', code: null },
    });
  });
});

describe('background responses', () => {
  it('go on after their connection was cut, and resume after any event', async () => {
    await offline.script([{ kind: 'cut', text: 'one two three four', afterDeltas: 2 }]);
    const seen = await collectUntilCut(
      await client.responses.create({ model: 'm', input: 'Hi', stream: true, background: true }),
    );
    const created = seen[0];
    if (created?.type !== 'response.created') throw new Error('No response was created.');
    expect(text(seen)).toBe('one two ');
    const resumed = await collect(
      await client.responses.retrieve(created.response.id, {
        stream: true,
        starting_after: seen.at(-1)?.sequence_number ?? 0,
      }),
    );
    const all = [...seen, ...resumed];
    expect(all.map((event) => event.sequence_number)).toEqual(all.map((_, index) => index));
    expect(text(all)).toBe('one two three four');
    expect(finalResponse(all).status).toBe('completed');
  });

  it('are queued at first and can be polled to their end', async () => {
    await offline.script([{ kind: 'hold', text: 'one two', afterDeltas: 1 }]);
    const { id, status } = await client.responses.create({
      model: 'm',
      input: 'Hi',
      background: true,
    });
    expect(status).toBe('queued');
    await vi.waitUntil(async () => (await offline.state()).held === 1);
    expect((await client.responses.retrieve(id)).status).toBe('in_progress');
    await offline.release();
    await vi.waitUntil(async () => (await client.responses.retrieve(id)).status === 'completed');
    expect((await client.responses.retrieve(id)).output_text).toBe('one two');
  });

  it('stop when they are cancelled, once and for all', async () => {
    await offline.script([{ kind: 'hold', text: 'one two', afterDeltas: 1 }]);
    const stream = await client.responses.create({
      model: 'm',
      input: 'Hi',
      stream: true,
      background: true,
    });
    await vi.waitUntil(async () => (await offline.state()).held === 1);
    const [entry] = await offline.journal();
    const id = entry?.responseId ?? '';
    expect((await client.responses.cancel(id)).status).toBe('cancelled');
    expect((await client.responses.cancel(id)).status).toBe('cancelled');
    const events = await collect(stream);
    expect(text(events)).toBe('one ');
    expect(events.map((event) => event.type)).not.toContain('response.completed');
    expect(await offline.state()).toMatchObject({ held: 0, open: 0 });
  });

  it('are the only ones that can be cancelled or streamed again', async () => {
    await offline.script([{ kind: 'answer', text: 'ok' }]);
    const { id } = await client.responses.create({ model: 'm', input: 'Hi' });
    await expect(client.responses.cancel(id)).rejects.toMatchObject({ status: 400 });
    await expect(client.responses.retrieve(id, { stream: true })).rejects.toMatchObject({
      status: 400,
    });
    expect((await client.responses.retrieve(id)).output_text).toBe('ok');
    await expect(client.responses.retrieve('resp_none')).rejects.toMatchObject({ status: 404 });
  });
});

describe('a script', () => {
  it('that runs out fails loudly, in the answer and in the journal', async () => {
    await offline.script([{ kind: 'answer', text: 'ok' }]);
    await client.responses.create({ model: 'm', input: 'first' });
    await expect(client.responses.create({ model: 'm', input: 'second' })).rejects.toMatchObject({
      status: 400,
      code: 'offline_script_exhausted',
    });
    const [first, second] = await offline.journal();
    expect(first?.scriptExhausted).toBeUndefined();
    expect(second?.scriptExhausted).toBe(true);
    expect(await offline.state()).toMatchObject({ scripted: true, stepsLeft: 0, exhausted: 1 });
  });

  it('serves several conversations by what they say and the model they ask', async () => {
    await offline.script([
      { kind: 'answer', text: 'to ships', when: { inputContains: 'about ships' }, times: 2 },
      { kind: 'answer', text: 'to the big model', when: { model: 'big' } },
      { kind: 'answer', text: 'to anybody' },
    ]);
    const ask = async (model: string, input: string) =>
      (await client.responses.create({ model, input })).output_text;
    expect(await ask('m', 'about trees')).toBe('to anybody');
    expect(await ask('big', 'about trees')).toBe('to the big model');
    expect(await ask('m', 'all about ships')).toBe('to ships');
    expect(await ask('m', 'more about ships')).toBe('to ships');
    await expect(ask('m', 'about ships')).rejects.toMatchObject({
      code: 'offline_script_exhausted',
    });
  });

  it('clears the journal when it is loaded, and is refused when it holds an unknown step', async () => {
    await offline.script([{ kind: 'answer', text: 'ok' }]);
    await client.responses.create({ model: 'm', input: 'Hi' });
    await offline.script([]);
    expect(await offline.journal()).toEqual([]);
    await expect(offline.script([{ kind: 'anwser', text: 'ok' } as never])).rejects.toThrow(
      'anwser',
    );
  });

  it('holds a stream until it is released', async () => {
    await offline.script([{ kind: 'hold', text: 'one two three', afterDeltas: 2 }]);
    const stream = await client.responses.create({ model: 'm', input: 'Hi', stream: true });
    const deltas: string[] = [];
    for await (const event of stream) {
      if (event.type !== 'response.output_text.delta') continue;
      deltas.push(event.delta);
      if (deltas.length === 2) await offline.release();
    }
    expect(deltas).toEqual(['one ', 'two ', 'three']);
  });

  it('does not hold a stream that was released before it got there', async () => {
    await offline.script([{ kind: 'hold', text: 'one two three', afterDeltas: 2, delayMs: 30 }]);
    const stream = await client.responses.create({ model: 'm', input: 'Hi', stream: true });
    await offline.release();
    expect(text(await collect(stream))).toBe('one two three');
  });

  it('frees a held stream whose client went away, and the response is cancelled', async () => {
    await offline.script([{ kind: 'hold', text: 'one two', afterDeltas: 0 }]);
    const stream = await client.responses.create({ model: 'm', input: 'Hi', stream: true });
    await vi.waitUntil(async () => (await offline.state()).held === 1);
    stream.controller.abort();
    await vi.waitUntil(async () => (await offline.state()).open === 0);
    const [entry] = await offline.journal();
    expect(entry).toMatchObject({ finished: false, aborted: true });
    expect(await offline.state()).toMatchObject({ held: 0 });
    expect((await client.responses.retrieve(entry?.responseId ?? '')).status).toBe('cancelled');
  });

  it('cuts a request that is not streamed before any answer', async () => {
    await offline.script([{ kind: 'cut', text: 'one two', afterDeltas: 1 }]);
    await expect(client.responses.create({ model: 'm', input: 'Hi' })).rejects.toThrow(
      'Connection error.',
    );
  });
});

describe('the smaller routes', () => {
  it('embeds the same words alike, normalized, in 256 dimensions unless told otherwise', async () => {
    const input = ['The red ship', 'red ship, the', 'A quiet garden'];
    const { data, usage } = await client.embeddings.create({ model: 'e', input });
    const [ship = [], shuffled = [], garden = []] = data.map(({ embedding }) => embedding);
    expect(ship).toHaveLength(256);
    expect(shuffled).toEqual(ship);
    expect(Math.hypot(...garden)).toBeCloseTo(1);
    const similarity = ship.reduce((sum, value, index) => sum + value * (garden[index] ?? 0), 0);
    expect(similarity).toBeLessThan(0.9);
    expect(usage.total_tokens).toBeGreaterThan(8);
    const floats = { model: 'e', input: 'ship', dimensions: 8, encoding_format: 'float' } as const;
    expect((await client.embeddings.create(floats)).data[0]?.embedding).toHaveLength(8);
  });

  it('refuses to embed an empty text', async () => {
    await expect(client.embeddings.create({ model: 'e', input: ['a', ''] })).rejects.toMatchObject({
      status: 400,
    });
  });

  it('counts the tokens a response would have as input', async () => {
    await offline.script([{ kind: 'answer', text: 'ok' }]);
    const request = { model: 'm', input: 'How many tokens is this?', instructions: 'Count.' };
    const counted = await client.responses.inputTokens.count(request);
    const { usage } = await client.responses.create(request);
    expect(counted.input_tokens).toBe(usage?.input_tokens);
  });

  it('lists its one model', async () => {
    const ids: string[] = [];
    for await (const model of client.models.list()) ids.push(model.id);
    expect(ids).toEqual(['offline-model']);
  });
});

describe('its process', () => {
  it('answers without a script, and ends when its standard input closes', async () => {
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', 'src/dev/offline-model/main.ts', '--exit-with-parent'],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    try {
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      const { listening } = JSON.parse(line.toString()) as { listening: string };
      const own = new OpenAI({ apiKey: 'key', baseURL: listening });
      const { output_text } = await own.responses.create({ model: 'm', input: 'Hi' });
      expect(output_text).toMatch(/^\[offline model\] /);
      child.stdin.end();
      expect(await once(child, 'exit')).toEqual([0, null]);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
