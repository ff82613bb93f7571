import pg from 'pg';
import type { Chunk, IndexedDocument, VectorIndex } from '../contracts/retrieval.ts';
import { createSpace, spaceTable } from './pgvector-schema.ts';
import type { SpaceTable } from './pgvector-schema.ts';
import { searchSpace, toLiteral } from './pgvector-search.ts';
import { storable } from './storable.ts';
import { checkContent, checkVector } from './vectors.ts';
import type { Space } from './vectors.ts';

const POOL_SIZE = 4;
const CONNECT_TIMEOUT_MS = 5_000;
/** A partitioned network never answers: give up on the connection then. */
const QUERY_TIMEOUT_MS = 60_000;
/** Small, since inserting into HNSW is slow and PGlite serves nobody else meanwhile. */
const BATCH = 10;

/** Each space has a table of its own. */
export interface PgvectorOptions extends Space {
  /** PostgreSQL with pgvector; for full text alone without. */
  connectionString: string;
}

/**
 * A vector index in PostgreSQL (HNSW, cosine) together with PostgreSQL's English full text, in the schema
 * `turnkeeper_vectors`. Methods reject with the driver's errors; all of them may be repeated.
 */
export function pgvectorIndex(options: PgvectorOptions): VectorIndex {
  const table = spaceTable(options.space, options.dimensions);
  const pool = new pg.Pool({
    connectionString: options.connectionString,
    max: POOL_SIZE,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
    application_name: 'turnkeeper',
  });
  // An idle connection that breaks is replaced by the pool; whoever queries next hears of it.
  pool.on('error', () => undefined);
  return {
    prepare: () => inTransaction(pool, (tx) => createSpace(tx, table)),
    upsert: (document, chunks, vectors) => upsert(pool, table, document, { chunks, vectors }),
    deleteDocument: async ({ tenant, documentId }, from = 0) => {
      await pool.query(
        `DELETE FROM ${table.name} WHERE tenant = $1 AND document_id = $2 AND ordinal >= $3`,
        [tenant, documentId, from],
      );
    },
    async search(query) {
      if (query.vector) checkVector(table, query.vector);
      return inTransaction(pool, (tx) => searchSpace(tx, table, query));
    },
    close: () => pool.end(),
  };
}

async function inTransaction<T>(
  pool: pg.Pool,
  work: (tx: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let broken = false;
  const lost = (): void => {
    broken = true;
  };
  client.on('error', lost);
  try {
    await client.query('BEGIN');
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    // After anything but PostgreSQL's own answer the connection may still be busy with the query.
    if (error instanceof pg.DatabaseError) await client.query('ROLLBACK').catch(lost);
    else lost();
    throw error;
  } finally {
    client.off('error', lost);
    client.release(broken);
  }
}

interface Content {
  chunks: Chunk[];
  vectors: number[][] | null;
}

async function upsert(
  pool: pg.Pool,
  table: SpaceTable,
  document: IndexedDocument,
  { chunks, vectors }: Content,
): Promise<void> {
  checkContent(table, chunks, vectors);
  for (let at = 0; at < chunks.length; at += BATCH) {
    const batch = {
      chunks: chunks.slice(at, at + BATCH),
      vectors: vectors?.slice(at, at + BATCH) ?? null,
    };
    await pool.query(upsertSql(table), upsertValues(table, document, batch));
  }
}

const COLUMNS = ['ordinal', 'chunk_id', 'char_start', 'char_end', 'content'];

function upsertSql(table: SpaceTable): string {
  const embedding = table.vectorType === null ? [] : ['embedding'];
  const columns = ['tenant', 'document_id', 'base', 'document_name', ...COLUMNS, ...embedding];
  const selected = [...COLUMNS, ...embedding.map((column) => `${column}::${table.vectorType}`)];
  const arrays = ['int[]', 'text[]', 'int[]', 'int[]', 'text[]', ...embedding.map(() => 'text[]')];
  return `
    INSERT INTO ${table.name} (${columns.join(', ')})
    SELECT $1, $2, $3, $4, ${selected.join(', ')}
    FROM unnest(${arrays.map((type, index) => `$${index + 5}::${type}`).join(', ')})
      AS chunk (${[...COLUMNS, ...embedding].join(', ')})
    ON CONFLICT (tenant, document_id, ordinal) DO UPDATE SET
      ${columns
        .slice(2)
        .map((column) => `${column} = excluded.${column}`)
        .join(', ')}`;
}

function upsertValues(
  table: SpaceTable,
  document: IndexedDocument,
  { chunks, vectors }: Content,
): unknown[] {
  const embeddings = chunks.map((_, index) => {
    const vector = vectors?.[index];
    return vector ? toLiteral(vector) : null;
  });
  return [
    document.tenant,
    document.documentId,
    document.base,
    storable(document.name),
    chunks.map((chunk) => chunk.ordinal),
    chunks.map((chunk) => chunk.id),
    chunks.map((chunk) => chunk.start),
    chunks.map((chunk) => chunk.end),
    chunks.map((chunk) => storable(chunk.text)),
    ...(table.vectorType === null ? [] : [embeddings]),
  ];
}
