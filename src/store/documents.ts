import { TurnkeeperError } from '../contracts/errors.ts';
import type {
  DocumentRecord,
  DocumentStore,
  NewDocument,
  StepFailure,
} from '../contracts/store.ts';
import type { Database, Queryable } from './database.ts';
import { claimKey, resourceId } from './keys.ts';
import { readPage } from './pages.ts';
import { insertParts, readParts } from './parts.ts';

interface DocumentRow {
  number: number;
  id: string;
  base: string;
  name: string;
  media_type: string;
  bytes: number;
  status: DocumentRecord['status'];
  chunks: number | null;
  error: StepFailure | null;
  created_at: Date;
}

export function documentStore(db: Database): DocumentStore {
  return {
    create: (tenant, document) => db.transaction((tx) => createDocument(tx, tenant, document)),
    get: (tenant, id) => findDocument(db, tenant, id),
    list: (tenant, { base }, page) =>
      readPage(
        db,
        {
          sql: 'SELECT * FROM turnkeeper.documents WHERE tenant = $1 AND ($2::text IS NULL OR base = $2)',
          params: [tenant, base ?? null],
          column: 'number',
          place: (row: DocumentRow) => row.number,
          map: toDocument,
        },
        page,
      ),
    async read(tenant, id) {
      await findDocument(db, tenant, id);
      return readParts(db, 'document_parts', id);
    },
    async markIndexed(tenant, id, chunks) {
      await db.query(
        `UPDATE turnkeeper.documents SET status = 'indexed', chunks = $3, error = NULL
         WHERE tenant = $1 AND id = $2`,
        [tenant, id, chunks],
      );
    },
    async markFailed(tenant, id, error) {
      await db.query(
        `UPDATE turnkeeper.documents SET status = 'failed', error = $3
         WHERE tenant = $1 AND id = $2 AND status = 'stored'`,
        [tenant, id, JSON.stringify(error)],
      );
    },
  };
}

async function createDocument(
  tx: Queryable,
  tenant: string,
  document: NewDocument,
): Promise<DocumentRecord> {
  const id = resourceId(tenant, 'documents', document.key);
  if (await claimKey(tx, { tenant, scope: 'documents', key: document.key, id })) {
    await tx.query(
      `INSERT INTO turnkeeper.documents (id, tenant, base, name, media_type, bytes, status)
       VALUES ($1, $2, $3, $4, $5, $6, 'stored')`,
      [id, tenant, document.base, document.name, document.mediaType, document.content.byteLength],
    );
    await insertParts(tx, 'document_parts', id, document.content);
  } else await reopen(tx, id);
  return findDocument(tx, tenant, id);
}

/** Adding a document again by its key is how one that failed is tried again. */
async function reopen(tx: Queryable, id: string): Promise<void> {
  await tx.query(
    "UPDATE turnkeeper.documents SET status = 'stored', error = NULL WHERE id = $1 AND status = 'failed'",
    [id],
  );
}

async function findDocument(db: Queryable, tenant: string, id: string): Promise<DocumentRecord> {
  const [row] = await db.query<DocumentRow>(
    'SELECT * FROM turnkeeper.documents WHERE tenant = $1 AND id = $2',
    [tenant, id],
  );
  if (row) return toDocument(row);
  throw new TurnkeeperError('document_not_found', `There is no document ${id}.`, { id });
}

function toDocument(row: DocumentRow): DocumentRecord {
  return {
    id: row.id,
    base: row.base,
    name: row.name,
    mediaType: row.media_type,
    bytes: row.bytes,
    status: row.status,
    chunks: row.chunks,
    error: row.error,
    createdAt: row.created_at,
  };
}
