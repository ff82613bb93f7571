import { afterEach, beforeEach, expect, it } from 'vitest';
import { createIngest } from '../../../src/activities/ingest.ts';
import type { Embedder, VectorIndex } from '../../../src/contracts/retrieval.ts';
import type { DocumentRecord, DocumentStore, Store } from '../../../src/contracts/store.ts';
import { attemptOf, silent } from '../../activities/stand-ins.ts';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { ask, document, numbered } from '../content.ts';
import type { TestIndexes } from '../indexes.ts';

const INPUT = { tenant: 'acme', documentId: 'long' };
const TEXT = Array.from({ length: 1_500 }, (_, n) => `Ladder ${n} has a place of its own.`).join(
  ' ',
);
const ALL = ask('ladder', [1, 0], { limit: 1_000 });

/** An index behind a proxy that a test cuts. */
export function outages(indexes: TestIndexes): void {
  let proxy: TcpProxy;
  beforeEach(async () => {
    proxy = await startTcpProxy(indexes.address);
  });
  afterEach(() => proxy.stop());

  async function openBehindProxy(space: string): Promise<VectorIndex> {
    const index = indexes.create(space, 2, proxy.address);
    await index.prepare();
    return index;
  }

  it('rejects what is asked meanwhile, and answers again when it is back', async () => {
    const index = await openBehindProxy('away');
    await index.upsert(document('short'), numbered(1), [[1, 0]]);
    proxy.cut();
    await expect(index.search(ask('chunk'))).rejects.toThrow();
    await expect(index.upsert(document('short'), numbered(2), null)).rejects.toThrow();
    await expect(index.deleteDocument(INPUT)).rejects.toThrow();
    proxy.restore();
    expect(await index.search(ask('chunk', [1, 0]))).toHaveLength(1);
  });

  it('in mid-ingest: the next attempt leaves every chunk there once, and none of an earlier version', async () => {
    const index = await openBehindProxy('away in mid-ingest');
    await index.upsert(document(INPUT.documentId), numbered(400), null);
    const { indexDocument, record } = ingestion(index, { cutAtBatch: 3, proxy });
    const failure = await attemptOf()
      .run(indexDocument, INPUT)
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ nonRetryable: false });
    expect(record.status).toBe('stored');
    proxy.restore();
    await attemptOf({ attempt: 2 }).run(indexDocument, INPUT);
    expect(record.status).toBe('indexed');
    expect(record.chunks).toBeGreaterThan(3 * 32);
    const ids = (await index.search(ALL)).map(({ chunkId }) => chunkId);
    expect(ids).toHaveLength(record.chunks ?? 0);
    expect(new Set(ids).size).toBe(record.chunks);
    expect(await index.search(ask('chunk'))).toEqual([]);
  });
}

/** The real activity, over a store that keeps this one document. */
function ingestion(
  index: VectorIndex,
  { cutAtBatch, proxy }: { cutAtBatch: number; proxy: TcpProxy },
) {
  const record = { base: 'handbook', name: 'long.md', status: 'stored' } as DocumentRecord;
  const documents: Partial<DocumentStore> = {
    get: async () => record,
    read: async () => Buffer.from(TEXT),
    async markIndexed(_tenant, _id, chunks) {
      Object.assign(record, { status: 'indexed', chunks });
    },
  };
  let batches = 0;
  const embedder: Embedder = {
    space: 'away',
    dimensions: 2,
    async embed(texts) {
      if ((batches += 1) === cutAtBatch) proxy.cut();
      return texts.map(() => [1, 0]);
    },
  };
  const store = { documents } as unknown as Store;
  const { indexDocument } = createIngest({ store, index, embedder, logger: silent });
  return { indexDocument, record };
}
