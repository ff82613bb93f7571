import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { MIGRATION_LOCK } from '../../src/store/migrate.ts';
import { openStore } from '../../src/store/postgres.ts';
import { openPool } from '../support/pool.ts';
import { describePostgres } from '../support/stores.ts';
import { failure, PATIENCE } from './fixtures.ts';

const open = (connectionString: string) => openStore({ connectionString, poolSize: 2 });

describe('opening a store where there is none', () => {
  /** A port on which every connection is answered so. */
  async function listening(answer: 'close' | 'nobody'): Promise<string> {
    const server = createServer((socket) => socket.destroy());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const close = () => new Promise<void>((resolve) => void server.close(() => resolve()));
    if (answer === 'nobody') await close();
    else onTestFinished(close);
    return `127.0.0.1:${port}`;
  }

  test.each(['close', 'nobody'] as const)('is database_unreachable: %s', async (answer) => {
    const host = await listening(answer);
    const attempt = open(`postgres://someone:secret@${host}/name`);
    await expect(attempt).rejects.toEqual(failure('database_unreachable'));
    await expect(attempt).rejects.toMatchObject({ details: { host } });
    await expect(attempt).rejects.not.toThrow('secret');
  });

  test('is database_unreachable: a host that has no address', async () => {
    await expect(open('postgres://someone@database.invalid/name')).rejects.toEqual(
      failure('database_unreachable'),
    );
  });
});

describePostgres('opening a store while another process migrates', (database) => {
  test('waits for it, for longer than a statement may take', async () => {
    const pool = openPool(database.url, 1);
    onTestFinished(() => pool.end());
    const lock = await pool.connect();
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const opening = openStore({ connectionString: database.url, poolSize: 1, queryTimeoutMs: 100 });
    const waiting = () =>
      database.sql(
        `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'
           AND query_start < clock_timestamp() - interval '300 milliseconds'`,
      );
    await expect.poll(waiting, PATIENCE).toHaveLength(1);
    lock.release(true);
    const store = await opening;
    await store.close();
  });
});

describePostgres('opening a store that the server refuses', (database) => {
  test.each<[string, (url: URL) => void]>([
    ['nobody', (url) => (url.pathname = '/nobody')],
    ['somebody', (url) => (url.username = 'somebody')],
  ])('is database_unreachable and says why: %s', async (name, change) => {
    const url = new URL(database.url);
    change(url);
    const attempt = open(url.href);
    await expect(attempt).rejects.toEqual(failure('database_unreachable'));
    await expect(attempt).rejects.toThrow(`"${name}" does not exist`);
  });
});
