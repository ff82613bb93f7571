import { createHash } from 'node:crypto';
import type { ClientBase } from 'pg';
import { TurnkeeperError } from '../contracts/errors.ts';
import type { Space } from './vectors.ts';

const LOCK = 7_836_272;
const VERSION = 1;
/** Most dimensions that pgvector indexes as `vector`; `halfvec` goes on to 4,000. */
const MAX_VECTOR_DIMENSIONS = 2_000;

/** The table of one embedding space. */
export interface SpaceTable extends Space {
  /** Qualified name, safe to put into SQL. */
  name: string;
  /** SQL type of an embedding, `vector(384)`; null for full text alone. */
  vectorType: string | null;
}

export function spaceTable(space: string, dimensions: number | null): SpaceTable {
  const readable = space
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .slice(0, 40);
  const hash = createHash('sha256').update(`${space}:${dimensions}`).digest('hex').slice(0, 8);
  return {
    name: `turnkeeper_vectors.chunks_${readable}_${hash}`,
    space,
    dimensions,
    vectorType: dimensions === null ? null : `${baseType(dimensions)}(${dimensions})`,
  };
}

function baseType(dimensions: number): 'vector' | 'halfvec' {
  return dimensions > MAX_VECTOR_DIMENSIONS ? 'halfvec' : 'vector';
}

/** Creates what a space needs, inside the caller's transaction; idempotent, also when several do it at once. */
export async function createSpace(tx: ClientBase, table: SpaceTable): Promise<void> {
  await tx.query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
  await tx.query('CREATE SCHEMA IF NOT EXISTS turnkeeper_vectors');
  await tx.query(
    `CREATE TABLE IF NOT EXISTS turnkeeper_vectors.spaces (
       table_name text PRIMARY KEY, space text NOT NULL, dimensions integer, version integer NOT NULL)`,
  );
  const { rows } = await tx.query<{ version: number }>(
    'SELECT version FROM turnkeeper_vectors.spaces WHERE table_name = $1',
    [table.name],
  );
  const version = rows[0]?.version ?? 0;
  if (version > VERSION) {
    throw new TurnkeeperError(
      'database_too_new',
      `The vector index ${table.space} has version ${version}; this release knows up to ${VERSION}.`,
    );
  }
  if (version === VERSION) return;
  for (const statement of statements(table)) await tx.query(statement);
  await tx.query('INSERT INTO turnkeeper_vectors.spaces VALUES ($1, $2, $3, $4)', [
    table.name,
    table.space,
    table.dimensions,
    VERSION,
  ]);
}

function statements({ name, dimensions, vectorType }: SpaceTable): string[] {
  const table = [
    `CREATE TABLE ${name} (
       tenant text NOT NULL,
       base text NOT NULL,
       document_id text NOT NULL,
       ordinal integer NOT NULL,
       chunk_id text NOT NULL,
       document_name text NOT NULL,
       char_start integer NOT NULL,
       char_end integer NOT NULL,
       content text NOT NULL,
       terms tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector('english', content)) STORED,
       PRIMARY KEY (tenant, document_id, ordinal))
     -- Keeps vector and terms in the row: fetching them from elsewhere costs more than comparing them.
     WITH (toast_tuple_target = 4080)`,
    `CREATE INDEX ON ${name} (tenant, base)`,
    `CREATE INDEX ON ${name} USING gin (terms)`,
  ];
  if (dimensions === null) return table;
  return [
    'CREATE EXTENSION IF NOT EXISTS vector',
    ...table,
    `ALTER TABLE ${name} ADD COLUMN embedding ${vectorType}`,
    `CREATE INDEX ON ${name} USING hnsw (embedding ${baseType(dimensions)}_cosine_ops)`,
  ];
}
