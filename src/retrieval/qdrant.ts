import { QdrantClient, type Schemas } from '@qdrant/js-client-rest';
import { TurnkeeperError } from '../contracts/errors.ts';
import type { VectorIndex } from '../contracts/retrieval.ts';
import { describeError } from '../contracts/thrown.ts';
import { collectionName, prepareCollection } from './qdrant-collection.ts';
import { asking, saysMissing, unreachable } from './qdrant-errors.ts';
import { toPoint } from './qdrant-points.ts';
import { searchCollection } from './qdrant-search.ts';
import { checkContent, checkVector } from './vectors.ts';
import type { Space } from './vectors.ts';

/** Under the time that one attempt of a retrieval has. */
const SEARCH_TIMEOUT_MS = 10_000;
/** Qdrant answers a write once it is applied, which takes its time while it optimizes. */
const WRITE_TIMEOUT_MS = 60_000;

export interface QdrantOptions extends Space {
  url: string;
  apiKey: string | null;
}

/**
 * A vector index in Qdrant, one collection per embedding space: HNSW with cosine for vectors, a sparse vector of term
 * weights for full text. A collection that is lost while this runs is made again with the next chunk. Methods may be repeated. They reject with `index_unreachable` while Qdrant is away, with an
 * Error of Qdrant's words when it refuses; `prepare` with nothing but `index_unreachable` and `index_mismatch`.
 */
export function qdrantIndex(options: QdrantOptions): VectorIndex {
  const { host } = new URL(options.url);
  const collection = collectionName(options.space);
  const searching = connect(options, SEARCH_TIMEOUT_MS);
  const writing = connect(options, WRITE_TIMEOUT_MS);
  const write = (points: Schemas['PointStruct'][]) =>
    asking(host, () => writing.upsert(collection, { points, wait: true }));
  return {
    prepare: () => prepare(writing, options, host),
    async upsert(document, chunks, vectors) {
      checkContent(options, chunks, vectors);
      if (chunks.length === 0) return;
      const points = chunks.map((chunk, n) => toPoint(document, chunk, vectors?.[n] ?? null));
      try {
        await write(points);
      } catch (error) {
        if (!saysMissing(error)) throw error;
        await prepare(writing, options, host);
        await write(points);
      }
    },
    async deleteDocument({ tenant, documentId }, from = 0) {
      const must = [
        { key: 'tenant', match: { value: tenant } },
        { key: 'document', match: { value: documentId } },
        { key: 'ordinal', range: { gte: from } },
      ];
      try {
        await asking(host, () => writing.delete(collection, { filter: { must }, wait: true }));
      } catch (error) {
        if (!saysMissing(error)) throw error;
      }
    },
    async search(query) {
      if (query.vector) checkVector(options, query.vector);
      return asking(host, () => searchCollection(searching, collection, query));
    },
    // Connections that nobody uses keep no process and end by themselves.
    close: () => Promise.resolve(),
  };
}

/** The key goes as a header, for given as a key the client warns on the console of each plain connection. */
function connect({ url, apiKey }: QdrantOptions, timeout: number): QdrantClient {
  const { protocol, hostname, port, pathname } = new URL(url);
  return new QdrantClient({
    host: hostname,
    https: protocol === 'https:',
    // Without it the client takes 6333, whatever the URL says.
    port: port === '' ? null : Number(port),
    prefix: pathname.replace(/\/+$/, ''),
    timeout,
    ...(apiKey !== null && { headers: { 'api-key': apiKey } }),
    // It would do so in the background, on the console.
    checkCompatibility: false,
  });
}

async function prepare(client: QdrantClient, space: Space, host: string): Promise<void> {
  try {
    await asking(host, () => prepareCollection(client, space));
  } catch (error) {
    if (error instanceof TurnkeeperError) throw error;
    const reason = describeError(error);
    throw unreachable(host, `is not ready: ${reason}`, error);
  }
}
