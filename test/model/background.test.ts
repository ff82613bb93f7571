import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { BackgroundResponse, ModelEvent, ModelRequest } from '../../src/contracts/model.ts';
import { openaiModel } from '../../src/model/openai.ts';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { startOfflineModel, type OfflineModelProcess } from '../support/offline-model.ts';

const REQUEST: ModelRequest = {
  model: 'test-model',
  input: [{ type: 'message', role: 'user', content: 'Hello' }],
  tools: [],
  background: true,
};
const NOWHERE: BackgroundResponse = { id: 'resp_none', model: 'test-model' };
const { signal } = new AbortController();

let offline: OfflineModelProcess;
beforeAll(async () => {
  offline = await startOfflineModel();
});
afterAll(() => offline.stop());

function newModel({ baseUrl = offline.baseUrl, idleTimeoutMs = 30_000 } = {}) {
  return openaiModel({ apiKey: 'sk-test', baseUrl, idleTimeoutMs });
}

/** A response whose first two words were read, over a connection that is given up then. */
async function begun(
  step: ScriptStep,
): Promise<{ response: BackgroundResponse; seen: ModelEvent[] }> {
  await offline.script([step]);
  const { events } = await newModel().stream(REQUEST, { signal });
  const seen: ModelEvent[] = [];
  for await (const event of events) {
    seen.push(event);
    if (seen.filter(({ type }) => type.endsWith('.delta')).length === 2) break;
  }
  const { id } = seen[0]?.['response'] as { id: string };
  return { response: { id, model: 'test-model' }, seen };
}

const held = (text: string, more: Partial<ScriptStep> = {}) =>
  ({ kind: 'hold', text, afterDeltas: 2, ...more }) as ScriptStep;

describe('a response in the background', () => {
  it('is asked for to be stored, and goes on behind any event', async () => {
    const { response, seen } = await begun(held('Good morning to you'));
    await offline.release();
    const after = Number(seen.at(-1)?.['sequence_number']);
    const { events, requestId } = await newModel().resume(response, { after, signal });
    const rest: ModelEvent[] = [];
    for await (const event of events) rest.push(event);
    expect(rest.map((event) => event['sequence_number'])).toEqual(
      rest.map((_, i) => after + 1 + i),
    );
    expect(rest.flatMap(({ delta }) => delta ?? []).join('')).toBe('to you');
    expect(rest.at(-1)?.type).toBe('response.completed');
    const [create, resume] = await offline.journal();
    expect(create?.body).toMatchObject({ background: true, store: true, stream: true });
    expect(resume?.path).toBe(
      `/v1/responses/${response.id}?stream=true&starting_after=${String(after)}`,
    );
    expect(requestId).toBe(resume?.id);
  });

  it('is nothing until it has finished, then all of it', async () => {
    const { response } = await begun(held('Good morning to you'));
    const model = newModel();
    expect(await model.poll(response, { signal })).toBeNull();
    await offline.release();
    const finished = await vi.waitUntil(() => model.poll(response, { signal }));
    expect(finished).toMatchObject({ id: response.id, status: 'completed' });
  });

  it('that has failed, or was cancelled, is a failure', async () => {
    const failed = await begun({ kind: 'failed', code: 'rate_limit_exceeded', text: 'one two' });
    await vi.waitFor(() =>
      expect(newModel().poll(failed.response, { signal })).rejects.toMatchObject({
        kind: 'rate_limited',
      }),
    );
    const { response } = await begun(held('one two three'));
    await newModel().cancel(response);
    await expect(newModel().poll(response, { signal })).rejects.toMatchObject({
      kind: 'server_error',
      retryable: true,
    });
  });

  it('that is too old to be streamed is refused with status 400, and can still be asked for', async () => {
    const { response } = await begun(held('one two three', { streamableMs: 0 }));
    const model = newModel();
    await expect(model.resume(response, { after: 1, signal })).rejects.toMatchObject({
      kind: 'invalid_request',
      status: 400,
    });
    expect(await model.poll(response, { signal })).toBeNull();
  });

  it('that the server does not know any more is lost', async () => {
    const { response } = await begun(held('one two three', { keptMs: 0 }));
    const lost = { kind: 'response_lost', retryable: true, status: 404 };
    for (const gone of [response, NOWHERE]) {
      await expect(newModel().resume(gone, { after: 1, signal })).rejects.toMatchObject(lost);
      await expect(newModel().poll(gone, { signal })).rejects.toMatchObject(lost);
      expect(await newModel().cancel(gone)).toBeNull();
    }
  });

  it('that is cancelled is answered as it was stopped, as often as it is told', async () => {
    const usage = { inputTokens: 7, outputTokens: 3 };
    const { response } = await begun(held('one two three', { usage }));
    const stopped = { status: 'cancelled', usage: { input_tokens: 7, output_tokens: 3 } };
    expect(await newModel().cancel(response)).toMatchObject(stopped);
    expect(await newModel().cancel(response)).toMatchObject(stopped);
  });

  it.each([
    [401, 'authentication'],
    [500, 'server_error'],
  ])('that cannot be stopped, as its server answers %i, says so', async (status, kind) => {
    const server = createServer((_, answer) => answer.writeHead(status).end('{}'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const baseUrl = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/v1`;
    await expect(newModel({ baseUrl }).cancel(NOWHERE)).rejects.toMatchObject({ status, kind });
    server.closeAllConnections();
    server.close();
  });

  it('of a server that does not answer is let go of: by the caller, or after a while', async () => {
    const server = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const baseUrl = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/v1`;
    const model = newModel({ baseUrl, idleTimeoutMs: 100 });
    const silence = { kind: 'timeout', retryable: true };
    await expect(model.resume(NOWHERE, { after: 1, signal })).rejects.toMatchObject(silence);
    await expect(model.poll(NOWHERE, { signal })).rejects.toMatchObject(silence);
    await expect(model.cancel(NOWHERE)).rejects.toMatchObject(silence);
    const given = AbortSignal.abort();
    await expect(model.poll(NOWHERE, { signal: given })).rejects.toMatchObject({ kind: 'aborted' });
    server.closeAllConnections();
    server.close();
  });
});
