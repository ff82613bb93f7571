import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../src/store/postgres.ts';
import { hasPart } from '../support/require-part.ts';
import { answer, heldAnswer, untilShown } from '../support/talk.ts';
import { asking, untilWaiting } from '../support/waiting-turns.ts';
import { documented, type OpenApi } from './documented.ts';
import { openSse } from './read-sse.ts';
import { call, refusal, useGateway, type Answer } from './use-gateway.ts';

const ASSISTANT = { name: 'Tester', model: 'test-model', instructions: 'Be brief.' };
const OTHER = { 'x-tenant': 'other' };

const { world, gateway } = useGateway();
let document: ReturnType<typeof documented>;

beforeAll(() => {
  if (!hasPart('temporal') || !hasPart('postgres')) return;
  document = documented(gateway().app.swagger() as unknown as OpenApi);
});

/** Every answer is held against the OpenAPI document. */
async function ask(
  method: string,
  path: string,
  request: Parameters<typeof call>[3] = {},
): Promise<Answer> {
  const answered = await call(gateway(), method, path, request);
  document.check(method, path, answered.status, answered.body);
  return answered;
}

async function created(path: string, body?: unknown): Promise<string> {
  const answered = await ask('POST', path, { body });
  expect(answered.status).toBe(201);
  return String(answered.body['id']);
}

async function talk() {
  const assistantId = await created('/api/assistants', ASSISTANT);
  const conversationId = await created('/api/conversations', {});
  return { assistantId, turns: `/api/conversations/${conversationId}/turns`, conversationId };
}

async function ended(text = 'Done.') {
  const { assistantId, turns, conversationId } = await talk();
  await world().offline.script([answer(text)]);
  const id = await created(turns, { assistantId, input: 'Go.' });
  const result = await ask('GET', `/api/turns/${id}/result?waitMs=60000`);
  expect(result).toMatchObject({ status: 200, body: { status: 'completed', answer: text } });
  return { id, conversationId, turns };
}

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

describe('conversations and turns', () => {
  it('are started, followed and read back', async () => {
    const { id, conversationId, turns } = await ended('Forty-two.');
    const conversation = `/api/conversations/${conversationId}`;
    expect((await ask('GET', conversation)).body).toMatchObject({ activeTurn: null });
    expect((await ask('GET', '/api/conversations?limit=1')).status).toBe(200);
    const items = await ask('GET', `${conversation}/items?turnId=${id}`);
    expect(items.body['data']).toHaveLength(2);
    expect((await ask('GET', turns)).body['data']).toMatchObject([{ id, status: 'completed' }]);
    expect((await ask('GET', `/api/turns/${id}`)).body).toMatchObject({ id, state: 'sealed' });
    const steps = await ask('GET', `/api/turns/${id}/steps`);
    expect(steps.body['data']).toMatchObject([{ kind: 'respond', status: 'completed' }]);
    const usage = await ask('GET', `/api/turns/${id}/usage`);
    expect(usage.body['calls']).toHaveLength(1);
  });

  it('are found again by their key, however often they are sent', async () => {
    const { assistantId, turns } = await talk();
    await world().offline.script([answer('Once.')]);
    const request = {
      body: { assistantId, input: 'Go.' },
      headers: { 'idempotency-key': randomUUID() },
    };
    const answers = await Promise.all([1, 2, 3].map(() => ask('POST', turns, request)));
    expect(new Set(answers.map(({ body }) => body['id'])).size).toBe(1);
    await ask('GET', `/api/turns/${String(answers[0]?.body['id'])}/result?waitMs=60000`);
  });

  it('that are running keep others out, have no result yet, and can be cancelled', async () => {
    const { assistantId, turns } = await talk();
    await world().offline.script([heldAnswer('Too long to wait for.')]);
    const body = { assistantId, input: 'Go.' };
    const id = await created(turns, body);
    await untilShown(world(), { id } as Parameters<typeof untilShown>[1]);
    const busy = await ask('POST', turns, { body });
    expect(busy).toMatchObject({
      status: 409,
      body: refusal('conversation_busy', { activeTurn: id }),
    });
    for (const wait of ['', '?waitMs=100']) {
      const result = await ask('GET', `/api/turns/${id}/result${wait}`);
      expect(result).toMatchObject({ status: 202, body: { id, status: 'in_progress' } });
    }
    const cancelled = await ask('POST', `/api/turns/${id}/cancel`);
    expect(cancelled).toMatchObject({ status: 200, body: { status: 'cancelled' } });
  });

  it('that are running have others wait, or come in their place, as they say', async () => {
    const { assistantId, turns, conversationId } = await talk();
    await world().offline.script([heldAnswer('Too long to wait for.'), answer('Here.')]);
    const items = `/api/conversations/${conversationId}/items`;
    const history = [{ role: 'assistant', content: 'Welcome back.' }];
    const added = await ask('POST', items, { body: { items: history } });
    expect(added).toMatchObject({ status: 201, body: { queued: false } });
    const old = await created(turns, { assistantId, input: 'Go.' });
    await untilShown(world(), { id: old } as Parameters<typeof untilShown>[1]);
    const waits = await ask('POST', items, { body: { items: history, whenBusy: 'enqueue' } });
    expect(waits).toMatchObject({ status: 201, body: { queued: true } });
    const start = (whenBusy: string) =>
      ask('POST', turns, { body: { assistantId, input: 'And?', whenBusy } });
    const waiting = await start('enqueue');
    expect(waiting).toMatchObject({ status: 201, body: { status: 'queued', interrupts: null } });
    const next = await start('interrupt');
    expect(next).toMatchObject({ status: 201, body: { status: 'queued', interrupts: old } });
    expect(await start('wait')).toMatchObject({ status: 400, body: refusal('invalid_request') });
    const result = await ask('GET', `/api/turns/${String(next.body['id'])}/result?waitMs=60000`);
    expect(result).toMatchObject({ status: 200, body: { answer: 'Here.' } });
    expect((await ask('GET', `${turns}?limit=10`)).body['data']).toMatchObject([
      { id: old, reason: 'interrupted' },
      { id: waiting.body['id'], reason: 'superseded' },
      { id: next.body['id'], status: 'completed' },
    ]);
  });

  it('can be cancelled with what they did, and undone once they have ended', async () => {
    const { assistantId, turns } = await talk();
    await world().offline.script([heldAnswer('Too long to wait for.')]);
    const id = await created(turns, { assistantId, input: 'Go.' });
    const unclear = await ask('POST', `/api/turns/${id}/cancel`, { body: { compensate: 'yes' } });
    expect(unclear).toMatchObject({
      status: 400,
      body: refusal('invalid_request', { field: 'compensate' }),
    });
    const cancelled = await ask('POST', `/api/turns/${id}/cancel`, { body: { compensate: true } });
    const nothingToUndo = { status: 200, body: { status: 'cancelled', compensation: null } };
    expect(cancelled).toMatchObject(nothingToUndo);
    expect(await ask('POST', `/api/turns/${id}/compensate`)).toMatchObject(nothingToUndo);
    const result = await ask('GET', `/api/turns/${id}/result`);
    expect(result).toMatchObject({ status: 200, body: { effects: [] } });
  });

  it.each(['-1', '60001', 'soon'])('have no result within %s ms', async (waitMs) => {
    const answered = await ask('GET', `/api/turns/${randomUUID()}/result?waitMs=${waitMs}`);
    expect(answered).toMatchObject({
      status: 400,
      body: refusal('invalid_request', { field: 'waitMs' }),
    });
  });

  it('can be made again once they have ended, and branched off', async () => {
    const { id, conversationId } = await ended('First.');
    const turn = `/api/turns/${id}`;
    await world().offline.script([answer('Second.'), answer('Third.'), answer('Fourth.')]);
    expect(await ask('POST', `${turn}/retry`)).toMatchObject({
      status: 409,
      body: refusal('turn_not_retryable', { turnId: id, status: 'completed' }),
    });
    const key = { headers: { 'idempotency-key': randomUUID() }, body: { compensate: true } };
    const made = await ask('POST', `${turn}/regenerate`, key);
    expect(made).toMatchObject({
      status: 201,
      body: { conversationId, origin: { kind: 'regenerate', turnId: id } },
    });
    expect((await ask('POST', `${turn}/regenerate`, key)).body['id']).toBe(made.body['id']);
    const second = `/api/turns/${String(made.body['id'])}`;
    await ask('GET', `${second}/result?waitMs=60000`);
    const items = `/api/conversations/${conversationId}/items`;
    expect((await ask('GET', items)).body['data']).toHaveLength(2);
    expect((await ask('GET', `${items}?superseded=true`)).body['data']).toMatchObject([
      { turnId: id, supersededBy: made.body['id'] },
      { turnId: id, supersededBy: made.body['id'] },
      {},
      {},
    ]);
    const branch = await ask('POST', `${second}/edit`, { body: { input: 'Go elsewhere.' } });
    expect(branch).toMatchObject({ status: 201, body: { origin: { kind: 'edit' } } });
    const place = `/api/conversations/${String(branch.body['conversationId'])}`;
    expect((await ask('GET', place)).body['branchedFrom']).toEqual({
      ...{ conversationId, turnId: made.body['id'] },
    });
    await world().offline.script([{ kind: 'error', status: 400 }, answer('At last.')]);
    const failing = { assistantId: made.body['assistantId'], input: 'Again.' };
    const failed = await created(`/api/conversations/${conversationId}/turns`, failing);
    await ask('GET', `/api/turns/${failed}/result?waitMs=60000`);
    const retried = await ask('POST', `/api/turns/${failed}/retry`);
    expect(retried).toMatchObject({ status: 201, body: { origin: { kind: 'retry' } } });
    const result = await ask('GET', `/api/turns/${String(retried.body['id'])}/result?waitMs=60000`);
    expect(result.body).toMatchObject({ answer: 'At last.' });
    const empty = await ask('POST', `${second}/edit`, { body: { input: '' } });
    expect(empty).toMatchObject({ status: 400, body: refusal('input_empty') });
    for (const what of ['retry', 'regenerate', 'edit']) {
      const request = { body: { input: 'Hi' }, headers: OTHER };
      const { input: _input, ...rest } = request.body;
      const body = what === 'edit' ? request.body : rest;
      expect(await ask('POST', `${turn}/${what}`, { ...request, body })).toMatchObject({
        status: 404,
        body: refusal('turn_not_found'),
      });
    }
  });

  it('are not started with input that is empty, or of an assistant that is not there', async () => {
    const { assistantId, turns } = await talk();
    const empty = await ask('POST', turns, { body: { assistantId, input: ' ' } });
    expect(empty).toMatchObject({ status: 400, body: refusal('input_empty') });
    const nobodys = { assistantId: randomUUID(), input: 'Go.' };
    expect(await ask('POST', turns, { body: nobodys })).toMatchObject({
      status: 404,
      body: refusal('assistant_not_found'),
    });
  });
});

describe('a turn that waits for its caller', () => {
  const tool = { name: 'ask_user', description: 'Asks.', parameters: { type: 'object' } };

  async function waiting() {
    const definition = { ...ASSISTANT, clientTools: [tool], tools: ['transfer'] };
    const assistantId = await created('/api/assistants', definition);
    const conversationId = await created('/api/conversations', {});
    await world().offline.script([
      asking({ ask_user: { question: 'Which?' }, transfer: { amount: 5 } }),
      answer('Done.'),
    ]);
    const input = { assistantId, input: 'Go.' };
    const id = await created(`/api/conversations/${conversationId}/turns`, input);
    await untilWaiting(world(), { id });
    return `/api/turns/${id}`;
  }

  it('tells what it waits for, and goes on with what is submitted', async () => {
    const turn = await waiting();
    expect(await ask('GET', `${turn}/actions`)).toMatchObject({
      status: 200,
      body: {
        data: [
          { callId: 'call_ask_user', kind: 'outputs', arguments: { question: 'Which?' } },
          { callId: 'call_transfer', kind: 'approval', state: 'pending' },
        ],
      },
    });
    const body = {
      outputs: [{ callId: 'call_ask_user', output: { colour: 'blue', sizes: [1, '2'] } }],
      approvals: [{ callId: 'call_transfer', approve: true, arguments: { amount: 4 } }],
    };
    const submitted = await ask('POST', `${turn}/submit`, { body });
    expect(submitted).toMatchObject({ status: 200, body: { status: 'in_progress' } });
    expect((await ask('POST', `${turn}/submit`, { body })).status).toBe(200);
    const { body: result } = await ask('GET', `${turn}/result?waitMs=60000`);
    expect(result).toMatchObject({ status: 'completed', answer: 'Done.' });
    const outputs = JSON.stringify(result['output']);
    expect(outputs).toContain(JSON.stringify(JSON.stringify(body.outputs[0]?.output)));
  });

  it('refuses what does not fit, and another tenant', async () => {
    const turn = await waiting();
    const submit = (body: unknown, headers = {}) =>
      ask('POST', `${turn}/submit`, { body, headers });
    const outputs = [{ callId: 'call_ask_user', output: 'blue' }];
    expect(await submit({})).toMatchObject({ status: 400, body: refusal('invalid_request') });
    expect(await submit({ outputs: [...outputs, ...outputs] })).toMatchObject({ status: 400 });
    expect(await submit({ outputs })).toMatchObject({
      status: 409,
      body: refusal('actions_missing', { missing: ['call_transfer'] }),
    });
    expect(await submit({ outputs: [{ callId: 'x', output: 1 }], partial: true })).toMatchObject({
      status: 404,
      body: refusal('action_not_found', { callId: 'x' }),
    });
    const large = [{ callId: 'call_ask_user', output: 'x'.repeat(262_145) }];
    expect(await submit({ outputs: large, partial: true })).toMatchObject({
      status: 413,
      body: refusal('input_too_large', { limit: 'output' }),
    });
    expect(await submit({ outputs, partial: true }, OTHER)).toMatchObject({
      status: 404,
      body: refusal('turn_not_found'),
    });
    expect((await ask('GET', `${turn}/actions`, { headers: OTHER })).status).toBe(404);
    expect(await submit({ outputs, partial: true })).toMatchObject({ status: 200 });
    const otherwise = [{ callId: 'call_ask_user', output: 'red' }];
    expect(await submit({ outputs: otherwise, partial: true })).toMatchObject({
      status: 409,
      body: refusal('submission_conflict', { callId: 'call_ask_user' }),
    });
    await ask('POST', `${turn}/cancel`);
    const approvals = [{ callId: 'call_transfer', approve: true }];
    expect(await submit({ approvals })).toMatchObject({
      status: 409,
      body: refusal('turn_not_waiting', { status: 'cancelled' }),
    });
  });
});

describe('documents and files', () => {
  const add = (query: string, content: Buffer, type?: string, more = {}) =>
    fetch(`${gateway().url}/api/documents?${query}`, {
      method: 'POST',
      body: content,
      headers: { ...(type !== undefined && { 'content-type': type }), ...more },
    });

  it('take the bytes of a document as they are, once for each key', async () => {
    const key = { 'idempotency-key': randomUUID() };
    const bytes = Buffer.from('# Travel\n\nNever on Mondays. Jamais le lundi, même à Noël.');
    const first = await add('base=b&name=a.md', bytes, 'text/markdown; charset=utf-8', key);
    const record = (await first.json()) as { id: string };
    document.check('POST', '/api/documents', first.status, record);
    expect(record).toMatchObject({ mediaType: 'text/markdown', bytes: bytes.length });
    const again = await add('base=b&name=a.md', bytes, 'text/markdown', key);
    expect(await again.json()).toMatchObject({ id: record.id });
    expect((await ask('GET', `/api/documents/${record.id}`)).body).toMatchObject({ name: 'a.md' });
    expect((await ask('GET', '/api/documents?base=b')).body['data']).toHaveLength(1);
    expect((await ask('GET', '/api/documents?base=other')).body['data']).toHaveLength(0);
  });

  it('tell a document by its name where its type is not told', async () => {
    const answered = await add('base=b&name=plain.txt', Buffer.from('Words.'));
    expect(await answered.json()).toMatchObject({ mediaType: 'text/plain' });
  });

  it.each([
    ['base=b&name=a.md', Buffer.from([0xc3, 0x28]), undefined, 422, 'document_rejected'],
    ['base=b&name=a.pdf', Buffer.from('%PDF'), 'application/pdf', 422, 'document_rejected'],
    ['base=b&name=a.md', Buffer.alloc(0), undefined, 400, 'input_empty'],
    ['base=b&name=a/b.md', Buffer.from('x'), undefined, 400, 'invalid_request'],
    ['name=a.md', Buffer.from('x'), undefined, 400, 'invalid_request'],
    ['base=b', Buffer.from('x'), undefined, 400, 'invalid_request'],
    ['base=b&name=a.md', Buffer.alloc(10_485_761, 'x'), undefined, 413, 'input_too_large'],
  ])('refuse ?%s with what cannot be a document', async (query, content, type, status, code) => {
    const answered = await add(query, content, type);
    expect([answered.status, await answered.json()]).toMatchObject([status, refusal(code)]);
  });

  it('hand out files to be saved, never to be shown', async () => {
    const { id: turnId } = await ended();
    const name = 'evil "page" – ü.html';
    const content = '<script>alert(1)</script>';
    const id = await storeFile(turnId, name, content);
    expect((await ask('GET', `/api/files?turnId=${turnId}`)).body['data']).toHaveLength(1);
    expect((await ask('GET', `/api/files/${id}`)).body).toMatchObject({ id, name });
    const answered = await fetch(`${gateway().url}/api/files/${id}/content`);
    document.check('GET', `/api/files/${id}/content`, answered.status, null);
    expect(await answered.text()).toBe(content);
    expect(Object.fromEntries(answered.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(name)}`,
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
    });
    const foreign = await ask('GET', `/api/files/${id}/content`, { headers: OTHER });
    expect(foreign).toMatchObject({ status: 404, body: refusal('file_not_found') });
  });
});

/** As a tool does that makes one. */
async function storeFile(turnId: string, name: string, content: string): Promise<string> {
  const store = await openStore({ connectionString: world().databaseUrl, poolSize: 1 });
  const file = { turnId, name, mediaType: 'text/html', content: Buffer.from(content), key: name };
  const [record] = await store.files.create('default', [file]).finally(() => store.close());
  return String(record?.id);
}

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

describe('the OpenAPI document', () => {
  it('tells of no good answer that is not given here', async () => {
    const { id } = await ended();
    await ask('GET', '/health');
    await ask('GET', '/api/info');
    await ask('GET', '/api/openapi.json');
    const stream = await openSse(`${gateway().url}/api/turns/${id}/events`);
    document.check('GET', `/api/turns/${id}/events`, stream.status, null);
    const last = (await stream.ended).at(-1)?.id;
    await ask('GET', `/api/turns/${id}/events?after=${last}`);
    const page = await fetch(`${gateway().url}/console`);
    document.check('GET', '/console', page.status, null);
    expect(document.unseen()).toEqual([]);
  });
});
