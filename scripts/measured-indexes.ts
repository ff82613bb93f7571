import { QdrantClient } from '@qdrant/js-client-rest';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { readCacheDir } from '../src/config.ts';
import type { VectorIndex } from '../src/contracts/retrieval.ts';
import { startPglite } from '../src/dev/pglite/start.ts';
import { startQdrantEngine } from '../src/dev/qdrant-engine/start.ts';
import { pgvectorIndex } from '../src/retrieval/pgvector.ts';
import { collectionName } from '../src/retrieval/qdrant-collection.ts';
import { qdrantIndex } from '../src/retrieval/qdrant.ts';

const SPACE = 'measured';

/** An index on a server of its own. */
export interface MeasuredIndex {
  name: string;
  index: VectorIndex;
  /** Builds what is not built as chunks come in. */
  finish(): Promise<void>;
  /** What says that searches use an index of vectors, and do not compare all of them. */
  evidence(): Promise<string>;
  stop(): Promise<void>;
}

export async function startQdrant(dimensions: number): Promise<MeasuredIndex> {
  const dataDir = await mkdtemp(join(tmpdir(), 'turnkeeper-measure-'));
  const engine = await startQdrantEngine({ dataDir, cacheDir: readCacheDir(), onProgress });
  const client = new QdrantClient({ url: engine.url, checkCompatibility: false });
  const collection = collectionName(SPACE);
  const { title } = await client.versionInfo();
  return {
    name: `Qdrant (${/over (.*)$/.exec(title)?.[1] ?? title})`,
    index: qdrantIndex({ url: engine.url, apiKey: null, space: SPACE, dimensions }),
    async finish() {
      // A server does this by itself, all the time.
      await client.updateCollection(collection, { optimizers_config: {} });
    },
    async evidence() {
      const { indexed_vectors_count: indexed, segments_count: segments } =
        await client.getCollection(collection);
      return `${String(indexed)} vectors (dense and sparse) indexed in ${segments} segments`;
    },
    async stop() {
      await engine.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export async function startPgvector(dimensions: number): Promise<MeasuredIndex> {
  const dataDir = await mkdtemp(join(tmpdir(), 'turnkeeper-measure-'));
  const database = await startPglite({ dataDir });
  const pool = new pg.Pool({ connectionString: database.url, max: 1 });
  const index = pgvectorIndex({ connectionString: database.url, space: SPACE, dimensions });
  await index.prepare();
  const { rows } = await pool.query<{ postgres: string; vector: string }>(
    `SELECT current_setting('server_version') AS postgres, extversion AS vector
     FROM pg_extension WHERE extname = 'vector'`,
  );
  return {
    name: `pgvector ${rows[0]?.vector ?? ''} (PGlite, PostgreSQL ${rows[0]?.postgres ?? ''})`,
    index,
    finish: () => Promise.resolve(),
    evidence: () => indexScans(pool),
    async stop() {
      await index.close();
      await pool.end();
      await database.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function indexScans(pool: pg.Pool): Promise<string> {
  const { rows } = await pool.query<{ method: string; scans: string }>(
    `SELECT amname AS method, sum(idx_scan) AS scans
     FROM pg_stat_user_indexes AS used
     JOIN pg_class AS index ON index.oid = used.indexrelid JOIN pg_am ON pg_am.oid = index.relam
     WHERE used.relname LIKE 'chunks%' GROUP BY amname ORDER BY amname`,
  );
  return rows.map(({ method, scans }) => `${scans} scans of ${method}`).join(', ');
}

function onProgress(message: string): void {
  console.error(message);
}
