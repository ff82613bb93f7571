import { TurnkeeperError } from '../contracts/errors.ts';
import type { FileRecord, FileStore, NewFile } from '../contracts/store.ts';
import type { Database, Queryable } from './database.ts';
import { derivedId } from './keys.ts';
import { readPage } from './pages.ts';
import { insertParts, readParts } from './parts.ts';
import { findTurn, NOT_DELETED, turnNotFound } from './turn-rows.ts';

interface FileRow {
  number: number;
  id: string;
  turn_id: string;
  name: string;
  media_type: string;
  bytes: number;
  created_at: Date;
}

/** Holds for a file `f` unless its conversation is being deleted. */
const OF_KNOWN_TURN = `EXISTS (
  SELECT 1 FROM turnkeeper.turns t WHERE t.id = f.turn_id AND ${NOT_DELETED})`;

export function fileStore(db: Database): FileStore {
  return {
    create: (tenant, files) => db.transaction((tx) => createFiles(tx, tenant, files)),
    get: (tenant, id) => findFile(db, tenant, id),
    async list(tenant, { turnId }, page) {
      if (turnId !== undefined) await findTurn(db, tenant, turnId);
      return readPage(
        db,
        {
          sql: `SELECT * FROM turnkeeper.files f
                WHERE tenant = $1 AND ($2::uuid IS NULL OR turn_id = $2) AND ${OF_KNOWN_TURN}`,
          params: [tenant, turnId ?? null],
          column: 'number',
          place: (row: FileRow) => row.number,
          map: toFile,
        },
        page,
      );
    },
    async read(tenant, id) {
      await findFile(db, tenant, id);
      return readParts(db, 'file_parts', id);
    },
  };
}

async function createFiles(tx: Queryable, tenant: string, files: NewFile[]): Promise<FileRecord[]> {
  await requireTurns(tx, tenant, new Set(files.map(({ turnId }) => turnId)));
  const given = files.map((file) => ({ ...file, id: derivedId(tenant, 'files', file.key) }));
  // In the order of their ids: two who store the same files wait for each other, and neither for ever.
  for (const file of given.toSorted((a, b) => (a.id < b.id ? -1 : 1))) {
    await insertFile(tx, tenant, file);
  }
  const ids = given.map(({ id }) => id);
  const rows = await tx.query<FileRow>(
    'SELECT * FROM turnkeeper.files WHERE tenant = $1 AND id = ANY ($2)',
    [tenant, ids],
  );
  const records = new Map(rows.map((row) => [row.id, toFile(row)]));
  return ids.flatMap((id) => records.get(id) ?? []);
}

async function requireTurns(tx: Queryable, tenant: string, turnIds: Set<string>): Promise<void> {
  const found = await tx.query<{ id: string }>(
    `SELECT id FROM turnkeeper.turns t WHERE tenant = $1 AND id = ANY ($2) AND ${NOT_DELETED}`,
    [tenant, [...turnIds]],
  );
  const known = new Set(found.map(({ id }) => id));
  const missing = [...turnIds].find((id) => !known.has(id));
  if (missing !== undefined) throw turnNotFound(missing);
}

/** Waits for a transaction that is just storing the same file; one that is there already is left as it is. */
async function insertFile(
  tx: Queryable,
  tenant: string,
  file: NewFile & { id: string },
): Promise<void> {
  const { id, turnId, name, mediaType, content } = file;
  const inserted = await tx.query(
    `INSERT INTO turnkeeper.files (id, tenant, turn_id, name, media_type, bytes)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING RETURNING 1`,
    [id, tenant, turnId, name, mediaType, content.byteLength],
  );
  if (inserted.length > 0) await insertParts(tx, 'file_parts', id, content);
}

async function findFile(db: Queryable, tenant: string, id: string): Promise<FileRecord> {
  const [row] = await db.query<FileRow>(
    `SELECT * FROM turnkeeper.files f WHERE tenant = $1 AND id = $2 AND ${OF_KNOWN_TURN}`,
    [tenant, id],
  );
  if (row) return toFile(row);
  throw new TurnkeeperError('file_not_found', `There is no file ${id}.`, { id });
}

function toFile(row: FileRow): FileRecord {
  return {
    id: row.id,
    turnId: row.turn_id,
    name: row.name,
    mediaType: row.media_type,
    bytes: row.bytes,
    createdAt: row.created_at,
  };
}
