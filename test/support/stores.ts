import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import type { Store } from '../../src/contracts/store.ts';
import { openStore } from '../../src/store/postgres.ts';
import { startTestPglite } from './pglite.ts';
import { openPool } from './pool.ts';
import { freshDatabase } from './postgres.ts';
import { hasPart, requirePart } from './require-part.ts';

/** A database of the suite's own, with the store open on it while tests run. */
export interface TestDatabase {
  readonly url: string;
  readonly store: Store;
  /** Past the store: to look, and to bring about what no method does. */
  sql<Row>(text: string, params?: unknown[]): Promise<Row[]>;
}

const STORE_CONNECTIONS = 12;

interface Backend {
  isThere(): boolean;
  start(): Promise<{ url: string; stop(): Promise<void> }>;
}

const PGLITE: Backend = { isThere: () => true, start: startTestPglite };

const POSTGRES: Backend = {
  isThere: () => hasPart('postgres'),
  async start() {
    const { url, drop } = await freshDatabase();
    return { url, stop: drop };
  },
};

/** Runs one suite over the embedded database and over PostgreSQL. */
export function describeStores(name: string, suite: (database: TestDatabase) => void): void {
  describe(`${name}, on PGlite`, () => suite(databaseOf(PGLITE)));
  describePostgres(`${name}, on PostgreSQL`, suite);
}

/** For what needs transactions at the same time, which PGlite has not. */
export function describePostgres(name: string, suite: (database: TestDatabase) => void): void {
  describe(name, () => {
    beforeEach((context) => requirePart(context, 'postgres'));
    suite(databaseOf(POSTGRES));
  });
}

interface Opened {
  url: string;
  store: Store;
  pool: pg.Pool;
}

function databaseOf(backend: Backend): TestDatabase {
  const closings: (() => Promise<void>)[] = [];
  let opened: Opened | undefined;

  beforeAll(async () => {
    if (!backend.isThere()) return;
    const { url, stop } = await backend.start();
    closings.unshift(stop);
    const store = await openStore({ connectionString: url, poolSize: STORE_CONNECTIONS });
    closings.unshift(() => store.close());
    const pool = openPool(url, 2);
    closings.unshift(() => pool.end());
    opened = { url, store, pool };
  });

  afterAll(async () => {
    for (const close of closings.splice(0)) await close();
  });

  const current = (): Opened => {
    if (!opened) throw new Error('The database is open only while tests run.');
    return opened;
  };
  return {
    get url() {
      return current().url;
    },
    get store() {
      return current().store;
    },
    async sql<Row>(text: string, params: unknown[] = []) {
      const { rows } = await current().pool.query(text, params);
      return rows as Row[];
    },
  };
}
