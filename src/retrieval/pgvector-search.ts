import type { ClientBase } from 'pg';
import type { Passage, SearchQuery } from '../contracts/retrieval.ts';
import type { SpaceTable } from './pgvector-schema.ts';
import { storable } from './storable.ts';

/** Constant of reciprocal rank fusion, from Cormack, Clarke and Büttcher, SIGIR 2009. */
const FUSION_K = 60;
const MIN_CANDIDATES = 50;
/** Up to this many chunks of a tenant's bases, every vector is compared: exact, and free of HNSW's blind spots. */
const EXACT_UP_TO = 2_000;
const MAX_QUERY_CHARACTERS = 10_000;
const MAX_QUERY_TERMS = 64;

interface Row {
  chunk_id: string;
  document_id: string;
  document_name: string;
  char_start: number;
  char_end: number;
  content: string;
  score: number;
}

/** Both searches, joined by reciprocal rank fusion. Runs inside the caller's transaction. */
export async function searchSpace(
  tx: ClientBase,
  table: SpaceTable,
  query: SearchQuery,
): Promise<Passage[]> {
  const terms = await queryTerms(tx, query.text);
  const exact = query.vector === null || (await isSmall(tx, table, query));
  if (!exact) await tuneHnsw(tx);
  const { rows } = await tx.query<Row>(searchSql(table, query.vector !== null, exact), [
    query.tenant,
    query.bases,
    terms,
    Math.max(MIN_CANDIDATES, 4 * query.limit),
    query.limit,
    ...(query.vector ? [toLiteral(query.vector)] : []),
  ]);
  return rows.map(toPassage);
}

/**
 * A tsquery of all words of the text, any of which may match: a question rarely has all its words in one passage.
 * Lexemes come back from PostgreSQL's own parser and are quoted, so that the text's operators mean nothing.
 */
async function queryTerms(tx: ClientBase, text: string): Promise<string> {
  const { rows } = await tx.query<{ lexeme: string }>(
    `SELECT lexeme FROM unnest(to_tsvector('english', $1)) ORDER BY positions[1], lexeme LIMIT $2`,
    [storable(text.slice(0, MAX_QUERY_CHARACTERS)), MAX_QUERY_TERMS],
  );
  return rows.map(({ lexeme }) => `'${lexeme.replace(/['\\]/g, '$&$&')}'`).join(' | ');
}

async function isSmall(tx: ClientBase, table: SpaceTable, query: SearchQuery): Promise<boolean> {
  const { rows } = await tx.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM (
       SELECT FROM ${table.name} WHERE tenant = $1 AND base = ANY($2) LIMIT $3) AS scoped`,
    [query.tenant, query.bases, EXACT_UP_TO + 1],
  );
  return (rows[0]?.n ?? 0) <= EXACT_UP_TO;
}

/**
 * HNSW finds the nearest of all tenants: the scan has to go on until enough of them are this tenant's. The planner would
 * rather sort all of them, above all in PGlite, which never gathers statistics by itself.
 */
async function tuneHnsw(tx: ClientBase): Promise<void> {
  await tx.query(
    `SET LOCAL hnsw.iterative_scan = strict_order;
     SET LOCAL hnsw.ef_search = 100;
     SET LOCAL hnsw.max_scan_tuples = 200000;
     SET LOCAL enable_sort = off`,
  );
}

function searchSql(table: SpaceTable, withVector: boolean, exact: boolean): string {
  return `
    WITH by_text AS (
      SELECT document_id, ordinal, row_number() OVER (ORDER BY rank DESC, document_id, ordinal) AS place
      FROM (
        SELECT document_id, ordinal, ts_rank(terms, $3::tsquery) AS rank
        FROM ${table.name}
        WHERE tenant = $1 AND base = ANY($2) AND terms @@ $3::tsquery
        ORDER BY rank DESC, document_id, ordinal LIMIT $4) AS best),
    ranked AS (
      SELECT * FROM by_text ${withVector ? `UNION ALL ${vectorSql(table, exact)}` : ''}),
    fused AS (
      SELECT document_id, ordinal, sum(1.0 / (${FUSION_K} + place))::float8 AS score
      FROM ranked GROUP BY document_id, ordinal
      ORDER BY score DESC, document_id, ordinal LIMIT $5)
    SELECT chunk_id, document_id, document_name, char_start, char_end, content, score
    FROM fused JOIN ${table.name} USING (document_id, ordinal)
    WHERE tenant = $1
    ORDER BY score DESC, document_id, ordinal`;
}

function vectorSql(table: SpaceTable, exact: boolean): string {
  // OFFSET 0 keeps the planner from ordering by the index.
  return `
      SELECT document_id, ordinal, row_number() OVER (ORDER BY distance, document_id, ordinal) AS place
      FROM (
        SELECT * FROM (
          SELECT document_id, ordinal, embedding <=> $6::${table.vectorType} AS distance
          FROM ${table.name}
          WHERE tenant = $1 AND base = ANY($2) AND embedding IS NOT NULL ${exact ? 'OFFSET 0' : ''}) AS measured
        ORDER BY distance LIMIT $4) AS nearest`;
}

function toPassage(row: Row): Passage {
  return {
    chunkId: row.chunk_id,
    documentId: row.document_id,
    documentName: row.document_name,
    start: row.char_start,
    end: row.char_end,
    text: row.content,
    score: row.score,
  };
}

export function toLiteral(vector: number[]): string {
  return `[${vector.join(',')}]`;
}
