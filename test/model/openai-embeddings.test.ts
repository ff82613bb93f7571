import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openaiEmbedder } from '../../src/model/openai-embeddings.ts';
import { startOfflineModel } from '../support/offline-model.ts';
import type { OfflineModelProcess } from '../support/offline-model.ts';

let offline: OfflineModelProcess;
beforeAll(async () => {
  offline = await startOfflineModel();
});
afterAll(async () => {
  await offline.stop();
});

const signal = new AbortController().signal;

function newEmbedder(model = 'test-embedding', dimensions = 64) {
  return openaiEmbedder({ apiKey: 'key', baseUrl: offline.baseUrl, model, dimensions });
}

/** Against a server that gives this one answer, with two dimensions. */
async function withAnswer(
  answer: object,
  use: (embed: (texts: string[]) => Promise<number[][]>) => Promise<void>,
): Promise<void> {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const baseUrl = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/v1`;
  const embedder = openaiEmbedder({ apiKey: 'key', baseUrl, model: 'm', dimensions: 2 });
  try {
    await use((texts) => embedder.embed(texts, { signal }));
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

describe('the OpenAI embedder', () => {
  it('names its space after model and dimensions', () => {
    expect(newEmbedder('text-embedding-3-small', 512)).toMatchObject({
      space: 'text-embedding-3-small-512',
      dimensions: 512,
    });
  });

  it('gives each text its vector, in order, and the same text the same one', async () => {
    const [a, b, again] = await newEmbedder().embed(['apple tree', 'burning ship', 'apple tree'], {
      signal,
    });
    expect(a).toHaveLength(64);
    expect(again).toEqual(a);
    expect(b).not.toEqual(a);
    expect(Math.hypot(...(a ?? []))).toBeCloseTo(1);
  });

  it('sends at most 256 texts a request and keeps their order across requests', async () => {
    await offline.script([]);
    const texts = Array.from({ length: 600 }, (_, index) => `text number ${String(index)}`);
    const vectors = await newEmbedder().embed(texts, { signal });
    const [last] = await newEmbedder().embed(texts.slice(-1), { signal });
    expect(vectors).toHaveLength(600);
    expect(vectors.at(-1)).toEqual(last);
    const sizes = (await offline.journal()).map(
      ({ body }) => (body as { input: string[] }).input.length,
    );
    expect(sizes).toEqual([256, 256, 88, 1]);
  });

  it('asks nobody when there is nothing to embed', async () => {
    await offline.script([]);
    expect(await newEmbedder().embed([], { signal })).toEqual([]);
    expect(await offline.journal()).toEqual([]);
  });

  it('rejects with a classified error', async () => {
    await expect(newEmbedder('no-such-model').embed(['a'], { signal })).rejects.toMatchObject({
      name: 'ModelError',
      kind: 'model_not_found',
      retryable: false,
      status: 404,
    });
  });

  it('puts vectors in the order of their texts, however they come', async () => {
    const data = [
      { index: 1, embedding: [0, 1] },
      { index: 0, embedding: [1, 0] },
    ];
    await withAnswer({ data }, async (embed) => {
      expect(await embed(['a', 'b'])).toEqual([
        [1, 0],
        [0, 1],
      ]);
    });
  });

  it.each([
    ['too few vectors', { data: [{ index: 0, embedding: [0, 1] }] }],
    ['vectors of other dimensions', { data: [0, 1].map((index) => ({ index, embedding: [1] })) }],
    ['no vectors at all', {}],
  ])('refuses an answer with %s, which no retry cures', async (_what, answer) => {
    await withAnswer(answer, async (embed) => {
      await expect(embed(['a', 'b'])).rejects.toMatchObject({ kind: 'protocol', retryable: false });
    });
  });

  it('stops when its caller aborts', async () => {
    await expect(newEmbedder().embed(['a'], { signal: AbortSignal.abort() })).rejects.toMatchObject(
      { kind: 'aborted', retryable: false },
    );
  });
});
