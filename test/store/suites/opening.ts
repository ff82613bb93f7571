import { expect, test } from 'vitest';
import { MIGRATIONS } from '../../../src/store/migrations/index.ts';
import { openStore } from '../../../src/store/postgres.ts';
import type { TestDatabase } from '../../support/stores.ts';
import { CLERK, failure, freshTenant } from '../fixtures.ts';

const open = (connectionString: string) => openStore({ connectionString, poolSize: 2 });

async function opened(connectionString: string): Promise<void> {
  const store = await open(connectionString);
  await store.close();
}

const applied = (database: TestDatabase) =>
  database.sql<{ id: number }>('SELECT * FROM turnkeeper.schema_migrations ORDER BY id');

/** Empties the database. */
export function opening(database: TestDatabase): void {
  test('many at once on an empty database migrates it once', async () => {
    await database.sql('DROP SCHEMA turnkeeper CASCADE');
    await Promise.all(Array.from({ length: 4 }, () => opened(database.url)));
    const ids = (await applied(database)).map(({ id }) => id);
    expect(ids).toEqual(MIGRATIONS.map(({ id }) => id));
  });

  test('again does nothing', async () => {
    const tenant = freshTenant();
    const { id } = await database.store.assistants.create(tenant, CLERK);
    const before = await applied(database);
    await opened(database.url);
    expect(await applied(database)).toEqual(before);
    expect(await database.store.assistants.get(tenant, id)).toMatchObject({ id });
  });

  test('is refused on a database of a newer release, and changes nothing', async () => {
    await database.sql("INSERT INTO turnkeeper.schema_migrations VALUES (9999, 'later')");
    const before = await applied(database);
    await expect(open(database.url)).rejects.toEqual(failure('database_too_new'));
    expect(await applied(database)).toEqual(before);
    await database.sql('DELETE FROM turnkeeper.schema_migrations WHERE id = 9999');
    await opened(database.url);
  });

  test('fails as a whole when a migration fails', async () => {
    await database.sql('DROP SCHEMA turnkeeper CASCADE');
    await database.sql('CREATE SCHEMA turnkeeper');
    await database.sql('CREATE TABLE turnkeeper.documents (mine int)');
    await expect(open(database.url)).rejects.toThrow('already exists');
    const tables = await database.sql(
      "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'turnkeeper'",
    );
    expect(tables).toEqual([{ name: 'documents' }]);
    await database.sql('DROP SCHEMA turnkeeper CASCADE');
    await opened(database.url);
  });
}
