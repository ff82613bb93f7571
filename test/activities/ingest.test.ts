import { describe, expect, it, vi } from 'vitest';
import { createIngest } from '../../src/activities/ingest.ts';
import type { Chunk, Embedder, VectorIndex } from '../../src/contracts/retrieval.ts';
import type { DocumentRecord, DocumentStore, Store } from '../../src/contracts/store.ts';
import { attemptOf, silent } from './stand-ins.ts';

const INPUT = { tenant: 'default', documentId: 'document-1' };
const SENTENCES = Array.from(
  { length: 800 },
  (_, n) => `Sentence number ${n} says something of its own.`,
);
const LONG = SENTENCES.join(' ');

/** An index that keeps chunks by id, as a real one does. */
function keepingIndex() {
  const chunks = new Map<string, Chunk>();
  const batches: number[] = [];
  return {
    chunks,
    batches,
    upsert: vi.fn<VectorIndex['upsert']>(async (_document, batch) => {
      batches.push(batch.length);
      for (const chunk of batch) chunks.set(chunk.id, chunk);
    }),
    deleteDocument: vi.fn<VectorIndex['deleteDocument']>(async () => undefined),
  };
}

function ingest(
  content: string | Uint8Array,
  given: { index?: object | null; embedder?: Embedder | null } = {},
) {
  const { index = keepingIndex(), embedder = null } = given;
  const record = { base: 'handbook', name: 'a.md' } as DocumentRecord;
  const documents = {
    get: vi.fn<DocumentStore['get']>(async () => record),
    read: vi.fn<DocumentStore['read']>(async () => Buffer.from(content)),
    markIndexed: vi.fn<DocumentStore['markIndexed']>(async () => undefined),
  };
  const store = { documents } as unknown as Store;
  const { indexDocument } = createIngest({
    store,
    index: index as VectorIndex | null,
    embedder,
    logger: silent,
  });
  const done = attemptOf()
    .run(indexDocument, INPUT)
    .catch((error: unknown) => error);
  return { done, documents };
}

describe('the ingestion of a document', () => {
  it('indexes every chunk, in batches, removes what an earlier version had more, and says so', async () => {
    const index = keepingIndex();
    const { done, documents } = ingest(LONG, { index });
    const { chunks } = (await done) as { chunks: number };
    expect(chunks).toBe(index.chunks.size);
    expect(chunks).toBeGreaterThan(32);
    expect(Math.max(...index.batches)).toBe(32);
    expect(index.deleteDocument).toHaveBeenCalledWith(INPUT, chunks);
    expect(documents.markIndexed).toHaveBeenCalledWith('default', 'document-1', chunks);
    const last = [...index.chunks.values()].at(-1);
    expect(LONG.slice(last?.start, last?.end)).toBe(last?.text);
    expect(LONG.endsWith(String(last?.text))).toBe(true);
  });

  it('writes the same chunks when it is done again', async () => {
    const index = keepingIndex();
    await ingest(LONG, { index }).done;
    const first = [...index.chunks];
    await ingest(LONG, { index }).done;
    expect([...index.chunks]).toEqual(first);
  });

  it('gives each chunk the vector of its text', async () => {
    const index = keepingIndex();
    const embed = vi.fn(async (texts: string[]) => texts.map((text) => [text.length]));
    await ingest(LONG, { index, embedder: { space: 's', dimensions: 1, embed } }).done;
    for (const [, chunks, vectors] of index.upsert.mock.calls) {
      expect(vectors).toEqual(chunks.map(({ text }) => [text.length]));
    }
  });

  it('rejects what is not UTF-8', async () => {
    const { done, documents } = ingest(Buffer.from([0x41, 0xff, 0x42]));
    expect(await done).toMatchObject({ type: 'document_rejected', nonRetryable: true });
    expect(documents.markIndexed).not.toHaveBeenCalled();
  });

  it('is left to another worker by one without an index', async () => {
    expect(await ingest('text', { index: null }).done).toMatchObject({ nonRetryable: false });
  });

  it('is tried again when the index fails', async () => {
    const index = keepingIndex();
    index.upsert.mockRejectedValueOnce(new Error('connection lost'));
    expect(await ingest('text', { index }).done).toMatchObject({ nonRetryable: false });
  });
});
