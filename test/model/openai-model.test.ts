import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { JsonObject } from '../../src/contracts/json.ts';
import type { ModelEvent, ModelRequest } from '../../src/contracts/model.ts';
import { ModelError } from '../../src/contracts/model.ts';
import { openaiModel } from '../../src/model/openai.ts';
import { startOfflineModel } from '../support/offline-model.ts';
import type { OfflineModelProcess } from '../support/offline-model.ts';

const COMPLETED = 'data: {"type":"response.completed","response":{}}\n\n';
const DEEP = `${'['.repeat(5_000)}${']'.repeat(5_000)}`;
const API_KEY = 'sk-test-0123456789abcdef';
const REQUEST: ModelRequest = {
  model: 'test-model',
  input: [{ type: 'message', role: 'user', content: 'Hello' }],
  tools: [],
};

let offline: OfflineModelProcess;
const printed = [vi.spyOn(console, 'error'), vi.spyOn(console, 'warn'), vi.spyOn(console, 'log')];
beforeAll(async () => {
  offline = await startOfflineModel();
});
afterAll(async () => {
  await offline.stop();
});

function newModel(settings: { idleTimeoutMs?: number; baseUrl?: string; apiKey?: string } = {}) {
  return openaiModel({
    apiKey: API_KEY,
    baseUrl: offline.baseUrl,
    idleTimeoutMs: 30_000,
    ...settings,
  });
}

/** Reads a call to its end, wherever it ends. */
async function run(
  model = newModel(),
  request: Partial<ModelRequest> = {},
  signal = new AbortController().signal,
): Promise<{ events: ModelEvent[]; requestId: string | null; error: ModelError | null }> {
  const events: ModelEvent[] = [];
  let requestId: string | null = null;
  try {
    const stream = await model.stream({ ...REQUEST, ...request }, { signal });
    requestId = stream.requestId;
    for await (const event of stream.events) events.push(event);
    return { events, requestId, error: null };
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    return { events, requestId, error };
  }
}

function deltas(events: ModelEvent[]): string {
  return events
    .filter((event) => event.type === 'response.output_text.delta')
    .map((event) => event['delta'] as string)
    .join('');
}

function base64(...events: string[]): string[] {
  return events.map((event) => Buffer.from(event).toString('base64'));
}

async function withServer(listener: RequestListener, use: (baseUrl: string) => Promise<void>) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await use(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}/v1`);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

describe('a model call that succeeds', () => {
  it('passes every event through as it came, from created to completed', async () => {
    await offline.script([{ kind: 'answer', text: 'Good morning to you' }]);
    const { events, requestId } = await run();
    const [entry] = await offline.journal();
    expect(events.map((event) => event.type)).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      ...new Array<string>(4).fill('response.output_text.delta'),
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ]);
    expect(events.map((event) => event['sequence_number'])).toEqual(events.map((_, i) => i));
    expect(deltas(events)).toBe('Good morning to you');
    expect(requestId).toBe(entry?.id);
  });

  it('sends what was asked, and nothing that was not', async () => {
    await offline.script([{ kind: 'answer', text: 'ok', times: 2 }]);
    await run(newModel(), {
      instructions: 'Be brief.',
      tools: [{ type: 'web_search' }],
      text: { format: { type: 'json_object' } },
      maxOutputTokens: 99,
      safetyIdentifier: 'user-1',
      promptCacheKey: 'cache-1',
      options: { temperature: 0.5, metadata: { a: 'b' } },
    });
    await run();
    const [full, bare] = await offline.journal();
    expect(full?.body).toEqual({
      temperature: 0.5,
      metadata: { a: 'b' },
      model: 'test-model',
      instructions: 'Be brief.',
      input: REQUEST.input,
      tools: [{ type: 'web_search' }],
      text: { format: { type: 'json_object' } },
      max_output_tokens: 99,
      safety_identifier: 'user-1',
      prompt_cache_key: 'cache-1',
      stream: true,
    });
    expect(bare?.body).toEqual({
      model: 'test-model',
      input: REQUEST.input,
      tools: [],
      stream: true,
    });
  });

  it('lets no option replace a parameter of its own', async () => {
    await offline.script([{ kind: 'answer', text: 'ok' }]);
    const options: JsonObject = { model: 'other', input: 'other', stream: false, tools: [{}] };
    await run(newModel(), { options, safetyIdentifier: 'user-1' });
    const [entry] = await offline.journal();
    expect(entry?.body).toMatchObject({
      model: 'test-model',
      input: REQUEST.input,
      stream: true,
      tools: [],
    });
  });

  it('passes through events of a type that nobody knows', async () => {
    const event = { type: 'response.telepathy.delta', thought: { deep: [1, null] } };
    await offline.script([{ kind: 'unknownEvent', event, text: 'ok' }]);
    const { events, error } = await run();
    expect(error).toBeNull();
    expect(events[2]).toEqual({ ...event, sequence_number: 2 });
  });

  it('treats an incomplete response as an answer', async () => {
    await offline.script([{ kind: 'incomplete', reason: 'max_output_tokens', text: 'Half of' }]);
    const { events, error } = await run();
    expect(error).toBeNull();
    expect(events.at(-1)).toMatchObject({
      type: 'response.incomplete',
      response: { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } },
    });
  });

  it('keeps malformed arguments of a function call as the model gave them', async () => {
    await offline.script([{ kind: 'calls', calls: [{ name: 'f', arguments: '{"a": ' }] }]);
    const { events } = await run();
    expect(events.at(-1)).toMatchObject({
      response: { output: [{ type: 'function_call', name: 'f', arguments: '{"a": ' }] },
    });
  });

  it('counts only the wait for the server as silence, not a slow reader', async () => {
    await offline.script([{ kind: 'answer', text: 'one two three', delayMs: 1 }]);
    const stream = await newModel({ idleTimeoutMs: 2_000 }).stream(REQUEST, {
      signal: new AbortController().signal,
    });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const types: string[] = [];
      for await (const event of stream.events) {
        types.push(event.type);
        vi.advanceTimersByTime(10_000);
      }
      expect(types.at(-1)).toBe('response.completed');
    } finally {
      vi.useRealTimers();
    }
  });

  it('ends with the terminal event even when the server keeps the stream open', async () => {
    const terminal = `data: {"type":"response.completed","response":{}}\n\n`;
    await withServer(
      (_, answer) => {
        answer.writeHead(200, { 'content-type': 'text/event-stream' });
        answer.write(terminal);
      },
      async (baseUrl) => {
        const { events, error } = await run(newModel({ baseUrl }));
        expect(error).toBeNull();
        expect(events).toEqual([{ type: 'response.completed', response: {} }]);
      },
    );
  });
});

describe('a model call that fails', () => {
  it.each([
    [{ status: 429 }, 'rate_limited', true],
    [{ status: 429, code: 'insufficient_quota' }, 'quota_exceeded', false],
    [{ status: 500 }, 'server_error', true],
    [{ status: 503 }, 'server_error', true],
    [{ status: 408 }, 'server_error', true],
    [{ status: 409 }, 'server_error', true],
    [{ status: 500, headers: { 'x-should-retry': 'false' } }, 'server_error', false],
    [{ status: 400, headers: { 'x-should-retry': 'true' } }, 'invalid_request', true],
    [{ status: 401, code: 'invalid_api_key' }, 'authentication', false],
    [{ status: 403 }, 'authentication', false],
    [{ status: 404, code: 'model_not_found' }, 'model_not_found', false],
    [{ status: 404 }, 'invalid_request', false],
    [{ status: 400, code: 'context_length_exceeded' }, 'context_length', false],
    [{ status: 400, code: 'content_filter' }, 'content_filter', false],
    [{ status: 400, code: 'invalid_prompt' }, 'content_filter', false],
    [{ status: 400 }, 'invalid_request', false],
    [{ status: 422 }, 'invalid_request', false],
  ] as const)('with HTTP error %j is %s, retryable: %s', async (step, kind, retryable) => {
    await offline.script([{ kind: 'error', message: 'Scripted trouble.', ...step }]);
    const { error } = await run();
    const [entry, ...others] = await offline.journal();
    expect(error).toMatchObject({ kind, retryable, status: step.status, requestId: entry?.id });
    expect(error?.message).toContain('Scripted trouble.');
    expect(others).toEqual([]);
  });

  it.each([
    [{ 'retry-after': '7' }, 7_000],
    [{ 'retry-after': '7', 'retry-after-ms': '1500' }, 1_500],
    [{ 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' }, 0],
    [{ 'retry-after': 'soon' }, null],
    [{}, null],
  ])('with headers %j is to be retried after %s ms', async (headers, retryAfterMs) => {
    await offline.script([{ kind: 'error', status: 429, headers }]);
    expect((await run()).error?.retryAfterMs).toBe(retryAfterMs);
  });

  it('reads a date in the future as the time to wait', async () => {
    const headers = { 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() };
    await offline.script([{ kind: 'error', status: 503, headers }]);
    const { error } = await run();
    expect(error?.retryAfterMs).toBeGreaterThan(3_000_000);
    expect(error?.retryAfterMs).toBeLessThanOrEqual(3_600_000);
  });

  it('is refused for a model that does not exist', async () => {
    const { error } = await run(newModel(), { model: 'no-such-model' });
    expect(error).toMatchObject({ kind: 'model_not_found', retryable: false, status: 404 });
  });

  it.each([
    ['server_error', 'server_error', true],
    ['rate_limit_exceeded', 'rate_limited', true],
    ['invalid_prompt', 'content_filter', false],
    ['image_too_large', 'invalid_request', false],
    ['something_new', 'server_error', true],
  ])('with response.failed %s is %s, retryable: %s', async (code, kind, retryable) => {
    await offline.script([{ kind: 'failed', code, message: 'It broke.', text: 'Begun' }]);
    const { error, events, requestId } = await run();
    expect(error).toMatchObject({ kind, retryable, status: null, requestId });
    expect(error?.message).toBe(`The model call failed (${code}): It broke.`);
    expect(deltas(events)).toBe('Begun');
    expect(events.at(-1)?.type).toBe('response.output_text.delta');
  });

  it.each([
    ['flat', '{"type":"error","code":"rate_limit_exceeded","message":"Slow down.","param":null}'],
    ['nested', '{"type":"error","error":{"code":"rate_limit_exceeded","message":"Slow down."}}'],
  ])('with an error event, %s, throws it', async (_form, data) => {
    await offline.script([{ kind: 'raw', lines: base64(`event: error\ndata: ${data}\n\n`) }]);
    const { error, requestId } = await run();
    expect(error).toMatchObject({ kind: 'rate_limited', retryable: true, requestId });
    expect(error?.message).toContain('Slow down.');
  });

  it('by a connection cut in mid-stream is worth a retry, and what came before is delivered', async () => {
    await offline.script([{ kind: 'cut', text: 'one two three four', afterDeltas: 2 }]);
    const { error, events, requestId } = await run();
    expect(error).toMatchObject({ kind: 'connection', retryable: true, requestId });
    expect(deltas(events)).toBe('one two ');
    const [entry] = await offline.journal();
    expect(entry).toMatchObject({ finished: false, aborted: false });
  });

  it('by a server that nobody answers for is a connection failure', async () => {
    let closed = '';
    await withServer(
      () => undefined,
      (baseUrl) => {
        closed = baseUrl;
        return Promise.resolve();
      },
    );
    const { error } = await run(newModel({ baseUrl: closed }));
    expect(error).toMatchObject({ kind: 'connection', retryable: true, unsent: true });
    expect(error?.message).toContain('ECONNREFUSED');
  });

  it('by a server that hangs up before it answers may have been taken all the same', async () => {
    await withServer(
      (request) => request.socket.destroy(),
      async (baseUrl) => {
        const { error } = await run(newModel({ baseUrl }));
        expect(error).toMatchObject({ kind: 'connection', unsent: false, refused: false });
      },
    );
  });

  it('by a stream that ends without a terminal event is a protocol failure', async () => {
    const lines = base64('data: {"type":"response.created","response":{}}\n\n');
    await offline.script([{ kind: 'raw', lines }]);
    const { error, events } = await run();
    expect(error).toMatchObject({ kind: 'protocol', retryable: true });
    expect(events).toHaveLength(1);
  });

  it.each([
    ['broken JSON', base64('data: {"type":"response.output_text.delta","delta":"a\n\n')],
    ['an event that is no object', base64('data: null\n\n')],
    ['an event without a type', base64('data: {"delta":"a"}\n\n')],
    [
      'an event that is nested without end',
      base64(`data: {"type":"response.output_item.done","item":${DEEP}}\n\n`),
    ],
    [
      'invalid UTF-8',
      [
        ...base64('data: {"type":"response.output_text.delta","delta":"'),
        Buffer.from([0xc3, 0x28]).toString('base64'),
        ...base64('"}\n\n'),
      ],
    ],
  ])('by %s is a protocol failure, and prints nothing', async (_what, lines) => {
    await offline.script([{ kind: 'raw', lines: [...lines, ...base64(COMPLETED)] }]);
    const { error, requestId } = await run();
    expect(error).toMatchObject({ kind: 'protocol', retryable: true, requestId });
    for (const spy of printed) expect(spy).not.toHaveBeenCalled();
  });

  it('takes a character split over two packets for what it is', async () => {
    const euro = Buffer.from('€');
    const lines = [
      ...base64('data: {"type":"x","text":"'),
      euro.subarray(0, 1).toString('base64'),
      euro.subarray(1).toString('base64'),
      ...base64('"}\n\ndata: {"type":"response.completed"}\n\n'),
    ];
    await offline.script([{ kind: 'raw', lines }]);
    const { error, events } = await run();
    expect(error).toBeNull();
    expect(events[0]).toEqual({ type: 'x', text: '€' });
  });

  it.each([
    ['after the headers', { kind: 'hang' } as const],
    ['before the headers', { kind: 'hang', beforeHeaders: true } as const],
    ['in mid-stream', { kind: 'hold', text: 'one two three', afterDeltas: 1 } as const],
  ])('by silence %s times out, and the connection is given up', async (_when, step) => {
    await offline.script([step]);
    const { error } = await run(newModel({ idleTimeoutMs: 100 }));
    expect(error).toMatchObject({ kind: 'timeout', retryable: true });
    await vi.waitUntil(async () => (await offline.state()).open === 0);
    const [entry] = await offline.journal();
    expect(entry).toMatchObject({ finished: false, aborted: true });
  });

  it.each([
    ['before the headers', { kind: 'hang', beforeHeaders: true } as const],
    ['in mid-stream', { kind: 'hold', text: 'one two three', afterDeltas: 1 } as const],
  ])('because its caller aborts it %s is aborted, not retryable', async (_when, step) => {
    await offline.script([step]);
    const caller = new AbortController();
    const running = run(newModel(), {}, caller.signal);
    await vi.waitUntil(async () => (await offline.state()).open === 1);
    caller.abort();
    expect((await running).error).toMatchObject({ kind: 'aborted', retryable: false });
    await vi.waitUntil(async () => (await offline.state()).open === 0);
  });

  it('is not even sent when its caller has aborted already', async () => {
    await offline.script([]);
    const { error } = await run(newModel(), {}, AbortSignal.abort());
    expect(error).toMatchObject({ kind: 'aborted', retryable: false });
    expect(await offline.journal()).toEqual([]);
  });

  it('leaves no listener on the caller signal', async () => {
    await offline.script([
      { kind: 'answer', text: 'ok' },
      { kind: 'error', status: 500 },
    ]);
    const { signal } = new AbortController();
    const removed = vi.spyOn(signal, 'removeEventListener');
    const added = vi.spyOn(signal, 'addEventListener');
    await run(newModel(), {}, signal);
    await run(newModel(), {}, signal);
    expect(added).toHaveBeenCalledTimes(2);
    expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(
      added.mock.calls.map(([, listener]) => listener),
    );
  });

  it('never has the API key in its message', async () => {
    const apiKey = 'my-secret-key-without-a-prefix';
    const echo = `Incorrect API key provided: ${apiKey}. Also sk-proj-1234 and Bearer abcdef.`;
    await withServer(
      (_, answer) => {
        answer.writeHead(401, { 'content-type': 'application/json' });
        answer.end(JSON.stringify({ error: { message: echo, code: apiKey } }));
      },
      async (baseUrl) => {
        const { error } = await run(newModel({ baseUrl, apiKey }));
        expect(error).toMatchObject({ kind: 'authentication', retryable: false });
        expect(error?.message).toContain('Incorrect API key provided: [redacted]');
        expect(JSON.stringify([error?.message, error?.stack, error?.cause])).not.toMatch(
          /my-secret|sk-proj|abcdef/,
        );
      },
    );
  });

  it('with a key that no header can carry is not retryable and keeps the key to itself', async () => {
    const { error } = await run(newModel({ apiKey: 'bad\nkey' }));
    expect(error).toMatchObject({ kind: 'invalid_request', retryable: false });
    expect(error?.message).not.toContain('bad\nkey');
  });

  it('with a page of HTML for an answer has a message of bounded length', async () => {
    await withServer(
      (_, answer) => {
        answer.writeHead(502, { 'content-type': 'text/html' });
        answer.end(`<html>${'x'.repeat(10_000)}</html>`);
      },
      async (baseUrl) => {
        const { error } = await run(newModel({ baseUrl }));
        expect(error).toMatchObject({ kind: 'server_error', retryable: true, status: 502 });
        expect(error?.message.length).toBeLessThan(600);
      },
    );
  });
});
