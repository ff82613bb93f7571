import { QdrantClient } from '@qdrant/js-client-rest';
import { EventEmitter, once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, inject, it, vi } from 'vitest';
import { freePorts } from '../../src/dev/ports.ts';
import { collectionName } from '../../src/retrieval/qdrant-collection.ts';
import { qdrantIndex } from '../../src/retrieval/qdrant.ts';
import { requirePart } from '../support/require-part.ts';
import { ask, chunksOf, document, texts } from './content.ts';
import { describeQdrant } from './indexes.ts';

describeQdrant('Qdrant’s index', (indexes) => {
  it('refuses a collection of another dimension, and changes nothing', async () => {
    const small = await indexes.open('dimensions', 2);
    await small.upsert(document('one'), chunksOf('apples'), [[1, 0]]);
    for (const dimensions of [3, null]) {
      const failure = indexes.create('dimensions', dimensions).prepare();
      await expect(failure).rejects.toMatchObject({
        code: 'index_mismatch',
        details: { expected: dimensions, found: 2 },
      });
    }
    await small.prepare();
    expect(await texts(small, ask('apples', [1, 0]))).toEqual(['apples']);
  });

  it('says in Qdrant’s words what Qdrant refuses', async () => {
    const index = indexes.create('never prepared', 2);
    await expect(index.search(ask('apples'))).rejects.toThrow(/refuses: 404 .*doesn't exist/);
  });

  it.each([
    ['搜索', '我的中文搜索很好用', '这是另外一篇'],
    ['ลาคลอด', 'พนักงานมีสิทธิลาคลอดบุตร', 'โรงแรม'],
    ['العالم', 'مرحبا العالم', 'كتاب'],
    ['Verträge', 'Der Vertrag endet im Mai.', 'Die Reise beginnt.'],
  ])('finds by words whatever the language: %s', async (question, text, other) => {
    const index = await indexes.open(`language ${question}`, null);
    await index.upsert(document('one'), chunksOf(other, text), null);
    expect(await texts(index, ask(question))).toEqual([text]);
  });
});

it('makes its collection again that was lost while it ran', async (context) => {
  requirePart(context, 'qdrant-engine');
  const url = inject('qdrantEngineUrl') ?? '';
  const index = qdrantIndex({ url, apiKey: null, space: 'lost', dimensions: 2 });
  await index.prepare();
  const client = new QdrantClient({ url, checkCompatibility: false });
  const name = collectionName('lost');
  await index.upsert(document('one'), chunksOf('apples'), [[1, 0]]);
  await client.deleteCollection(name);
  await expect(index.deleteDocument(document('one'))).resolves.toBeUndefined();
  await index.upsert(document('one'), chunksOf('apples', 'pears'), [
    [1, 0],
    [0, 1],
  ]);
  expect(await texts(index, ask('pears', [0, 1]))).toEqual(['pears', 'apples']);
  const { payload_schema: fields } = await client.getCollection(name);
  await client.deleteCollection(name);
  expect(Object.keys(fields)).toContain('tenant');
});

it('marks the field that tenants are told apart by', async (context) => {
  requirePart(context, 'qdrant-engine');
  const url = inject('qdrantEngineUrl') ?? '';
  const index = qdrantIndex({ url, apiKey: null, space: 'marked', dimensions: 2 });
  await index.prepare();
  const client = new QdrantClient({ url, checkCompatibility: false });
  const name = collectionName('marked');
  const { payload_schema: fields } = await client.getCollection(name);
  await client.deleteCollection(name);
  expect(fields).toMatchObject({
    tenant: { data_type: 'keyword', params: { is_tenant: true } },
    base: { data_type: 'keyword' },
    document: { data_type: 'keyword' },
    ordinal: { data_type: 'integer' },
  });
});

describe('a server that is no Qdrant, or not well', () => {
  const servers: Server[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      await once(server.close(), 'close');
    }
  });

  async function serve(answer: RequestListener): Promise<string> {
    const server = createServer(answer).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const answering = (status: number, body: string): Promise<string> =>
    serve((_request, response) => response.writeHead(status).end(body));
  const open = (url: string) =>
    qdrantIndex({ url, apiKey: 'top secret', space: 'text', dimensions: null });

  it.each([
    ['not there', async () => `http://127.0.0.1:${String(await freePorts(1))}`, 'ECONNREFUSED'],
    ['a web site', () => answering(404, '<h1>Not here</h1>'), '404 Not Found'],
    ['one that refuses the key', () => answering(401, 'Must provide an API key'), '401'],
    ['starting up', () => answering(503, ''), '503'],
    ['cut off', () => serve((request) => void request.socket.destroy()), 'other side closed'],
  ])('is unreachable at start: %s', async (_what, start, reason) => {
    const failure = open(await start()).prepare();
    await expect(failure).rejects.toMatchObject({ code: 'index_unreachable' });
    await expect(failure).rejects.toThrow(reason);
    await expect(failure).rejects.not.toThrow('top secret');
  });

  it('is given up when it does not answer in time', async () => {
    const requests = new EventEmitter();
    const asked = once(requests, 'one');
    const index = open(await serve(() => void requests.emit('one')));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const failure = index.search(ask('apples')).catch((error: unknown) => error);
      await asked;
      vi.advanceTimersByTime(10_000);
      expect(await failure).toMatchObject({ code: 'index_unreachable' });
    } finally {
      vi.useRealTimers();
    }
  });

  it('gets the key and the path of its URL, and nothing on the console', async () => {
    const seen: unknown[] = [];
    const warn = vi.spyOn(console, 'warn');
    const url = await serve((request, response) => {
      seen.push([request.method, request.url, request.headers['api-key']]);
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({ result: { points: [] } }));
    });
    await open(`${url}/behind/a/proxy/`).search(ask('apples'));
    const path = `/behind/a/proxy/collections/${collectionName('text')}/points/query`;
    expect(seen).toEqual([['POST', path, 'top secret']]);
    expect(warn).not.toHaveBeenCalled();
    warn.mockRestore();
  });
});
