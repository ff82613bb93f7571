import { randomUUID } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { heldAnswer, SOON } from '../support/talk.ts';
import { openSse } from './read-sse.ts';
import { ASSISTANT, OTHER, useResources } from './resources.ts';
import { actionRoutes } from './suites/actions.ts';
import { documentRoutes } from './suites/documents.ts';
import { turnRoutes } from './suites/turns.ts';
import { refusal } from './use-gateway.ts';

const resources = useResources();
const { ask, created, document, ended, gateway, talk, world } = resources;

describe('assistants', () => {
  it('are created, read, listed and given further versions', async () => {
    const id = await created('/api/assistants', ASSISTANT);
    const path = `/api/assistants/${id}`;
    const next = await ask('POST', path, { body: { ...ASSISTANT, name: 'Second' } });
    expect(next).toMatchObject({ status: 201, body: { id, version: 2 } });
    expect((await ask('GET', path)).body).toMatchObject({ version: 2 });
    expect((await ask('GET', `${path}?version=1`)).body).toMatchObject({ definition: ASSISTANT });
    await created('/api/assistants', ASSISTANT);
    const page = await ask('GET', '/api/assistants?limit=1&order=desc');
    expect(page.body['data']).toHaveLength(1);
    const cursor = encodeURIComponent(String(page.body['nextCursor']));
    expect((await ask('GET', `/api/assistants?limit=1&order=desc&cursor=${cursor}`)).status).toBe(
      200,
    );
  });

  it('are created once with one key, and not another one with it', async () => {
    const headers = { 'idempotency-key': randomUUID() };
    const first = await ask('POST', '/api/assistants', { body: ASSISTANT, headers });
    const second = await ask('POST', '/api/assistants', { body: ASSISTANT, headers });
    expect(second.body).toEqual(first.body);
    const body = { ...ASSISTANT, name: 'Another' };
    const conflict = await ask('POST', '/api/assistants', { body, headers });
    expect(conflict).toMatchObject({ status: 409, body: refusal('idempotency_conflict') });
  });

  it.each([
    ['a field that is missing', { name: 'A' }, 'invalid_request', { field: 'model' }],
    ['an unknown field', { ...ASSISTANT, colour: 1 }, 'invalid_request', { field: 'colour' }],
    ['two tools of one name', { ...ASSISTANT, tools: ['a', 'a'] }, 'duplicate_tool', undefined],
    ['a list', [1], 'invalid_request', undefined],
    ['null', null, 'invalid_request', undefined],
    ['a string', 'name', 'invalid_request', undefined],
  ])('are refused with %s', async (_, body, code, details) => {
    const answered = await ask('POST', '/api/assistants', { body });
    expect(answered).toMatchObject({ status: 400, body: refusal(code, details) });
  });

  it.each([
    ['?limit=0', 'limit'],
    ['?limit=101', 'limit'],
    ['?limit=many', 'limit'],
    ['?order=up', 'order'],
    ['?page=2', 'page'],
  ])('are not listed with %s', async (query, field) => {
    const answered = await ask('GET', `/api/assistants${query}`);
    expect(answered).toMatchObject({ status: 400, body: refusal('invalid_request', { field }) });
  });
});

describe('any JSON', () => {
  it('is taken and given back whatever its keys are, and changes no prototype', async () => {
    const metadata = '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}';
    const headers = { 'content-type': 'application/json' };
    const url = `${gateway().url}/api/conversations`;
    const made = await fetch(url, { method: 'POST', headers, body: `{"metadata":${metadata}}` });
    const { id } = (await made.json()) as { id: string };
    const read = await fetch(`${url}/${id}`);
    expect(await read.text()).toContain(`"metadata":${metadata}`);
    expect({}).not.toHaveProperty('admin');
    expect(() => undefined).not.toHaveProperty('admin');
  });
});

turnRoutes(resources);
actionRoutes(resources);
documentRoutes(resources);

describe('what belongs to another tenant', () => {
  it('is not there, whatever is asked of it', async () => {
    const { id, conversationId, turns } = await ended();
    const assistantId = await created('/api/assistants', ASSISTANT);
    const paths = [
      ['GET', `/api/turns/${id}`, 'turn'],
      ['GET', `/api/turns/${id}/steps`, 'turn'],
      ['GET', `/api/turns/${id}/usage`, 'turn'],
      ['GET', `/api/turns/${id}/result`, 'turn'],
      ['POST', `/api/turns/${id}/cancel`, 'turn'],
      ['POST', `/api/turns/${id}/compensate`, 'turn'],
      ['GET', `/api/conversations/${conversationId}`, 'conversation'],
      ['GET', `/api/conversations/${conversationId}/items`, 'conversation'],
      ['GET', turns, 'conversation'],
      ['GET', `/api/assistants/${assistantId}`, 'assistant'],
    ] as const;
    for (const [method, path, what] of paths) {
      const answered = await ask(method, path, { headers: OTHER });
      expect(answered, path).toMatchObject({ status: 404, body: refusal(`${what}_not_found`) });
    }
    for (const list of ['assistants', 'conversations', 'documents', 'files']) {
      const { body } = await ask('GET', `/api/${list}`, { headers: OTHER });
      expect(body).toEqual({ data: [], nextCursor: null });
    }
  });
});

describe('a conversation that is deleted', () => {
  it('is gone, and what remains is told; one that is held is not, nor that of another tenant', async () => {
    const { conversationId } = await ended();
    const path = `/api/conversations/${conversationId}`;
    const foreign = await ask('DELETE', path, { headers: OTHER });
    expect(foreign).toMatchObject({ status: 404, body: refusal('conversation_not_found') });
    const gone = await ask('DELETE', path);
    expect(gone).toMatchObject({ status: 200, body: { id: conversationId, finished: true } });
    expect((await ask('GET', path)).status).toBe(404);
    expect((await ask('DELETE', path)).status).toBe(404);

    const { assistantId, turns, conversationId: held } = await talk();
    await world().offline.script([heldAnswer('Wait.')]);
    const id = await created(turns, { assistantId, input: 'Go.' });
    const busy = await ask('DELETE', `/api/conversations/${held}`);
    const details = { activeTurn: id };
    expect(busy).toMatchObject({ status: 409, body: refusal('conversation_busy', details) });
    await ask('POST', `/api/turns/${id}/cancel`);
    await vi.waitFor(
      async () => expect((await ask('DELETE', `/api/conversations/${held}`)).status).toBe(200),
      SOON,
    );
  });
});

describe('the codec', () => {
  it('passes on what is not encrypted', async () => {
    const payloads = [{ metadata: { encoding: 'anNvbi9wbGFpbg==' }, data: 'MQ==' }];
    const answered = await ask('POST', '/api/codec/decode', { body: { payloads } });
    expect(answered).toMatchObject({ status: 200, body: { payloads } });
  });
});

describe('the OpenAPI document', () => {
  it('tells of no good answer that is not given here', async () => {
    const { id } = await ended();
    await ask('GET', '/health');
    await ask('GET', '/api/info');
    await ask('GET', '/api/openapi.json');
    const stream = await openSse(`${gateway().url}/api/turns/${id}/events`);
    document().check('GET', `/api/turns/${id}/events`, stream.status, null);
    const last = (await stream.ended).at(-1)?.id;
    await ask('GET', `/api/turns/${id}/events?after=${last}`);
    const page = await fetch(`${gateway().url}/console`);
    document().check('GET', '/console', page.status, null);
    expect(document().unseen()).toEqual([]);
  });
});
