import type { AssistantDefinition } from '../contracts/assistant.ts';
import { TurnkeeperError } from '../contracts/errors.ts';
import type { Assistant, AssistantStore, RequestKey } from '../contracts/store.ts';
import type { Database, Queryable } from './database.ts';
import { claimKey, resourceId } from './keys.ts';
import { readPage } from './pages.ts';

interface AssistantRow {
  number: number;
  id: string;
  version: number;
  definition: AssistantDefinition;
  created_at: Date;
}

const SELECT = `SELECT a.number, a.id, v.version, v.definition, v.created_at
  FROM turnkeeper.assistants a JOIN turnkeeper.assistant_versions v ON v.assistant_id = a.id`;

export function assistantStore(db: Database): AssistantStore {
  return {
    create: (tenant, definition, key) =>
      db.transaction((tx) => createAssistant(tx, tenant, definition, key)),
    update: (tenant, id, definition) =>
      db.transaction((tx) => addVersion(tx, tenant, id, definition)),
    get: (tenant, id, version) => findAssistant(db, tenant, id, version),
    list: (tenant, page) =>
      readPage(
        db,
        {
          sql: `${SELECT} WHERE a.tenant = $1 AND v.version = a.version`,
          params: [tenant],
          column: 'a.number',
          place: (row: AssistantRow) => row.number,
          map: toAssistant,
        },
        page,
      ),
  };
}

async function createAssistant(
  tx: Queryable,
  tenant: string,
  definition: AssistantDefinition,
  key: RequestKey | undefined,
): Promise<Assistant> {
  const id = resourceId(tenant, 'assistants', key);
  if (await claimKey(tx, { tenant, scope: 'assistants', key, id })) {
    await tx.query('INSERT INTO turnkeeper.assistants (id, tenant, version) VALUES ($1, $2, 1)', [
      id,
      tenant,
    ]);
    await insertVersion(tx, id, 1, definition);
  }
  return findAssistant(tx, tenant, id);
}

async function addVersion(
  tx: Queryable,
  tenant: string,
  id: string,
  definition: AssistantDefinition,
): Promise<Assistant> {
  const [row] = await tx.query<{ version: number }>(
    'UPDATE turnkeeper.assistants SET version = version + 1 WHERE tenant = $1 AND id = $2 RETURNING version',
    [tenant, id],
  );
  if (!row) throw notFound(id);
  await insertVersion(tx, id, row.version, definition);
  return findAssistant(tx, tenant, id);
}

async function insertVersion(
  tx: Queryable,
  id: string,
  version: number,
  definition: AssistantDefinition,
): Promise<void> {
  await tx.query(
    'INSERT INTO turnkeeper.assistant_versions (assistant_id, version, definition) VALUES ($1, $2, $3)',
    [id, version, JSON.stringify(definition)],
  );
}

/** The newest version unless another is named. */
export async function findAssistant(
  db: Queryable,
  tenant: string,
  id: string,
  version?: number,
): Promise<Assistant> {
  const [row] = await db.query<AssistantRow>(
    `${SELECT} WHERE a.tenant = $1 AND a.id = $2 AND v.version = coalesce($3, a.version)`,
    [tenant, id, version ?? null],
  );
  if (!row) throw notFound(id, version);
  return toAssistant(row);
}

function notFound(id: string, version?: number): TurnkeeperError {
  const what = version === undefined ? id : `${id} in version ${version}`;
  return new TurnkeeperError('assistant_not_found', `There is no assistant ${what}.`, { id });
}

function toAssistant(row: AssistantRow): Assistant {
  return {
    id: row.id,
    version: row.version,
    definition: row.definition,
    createdAt: row.created_at,
  };
}
