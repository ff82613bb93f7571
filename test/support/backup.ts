import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';

const run = promisify(execFile);

export interface Backup {
  /** Puts the database back to what it was, whoever is connected to it. */
  restore(): Promise<void>;
  remove(): Promise<void>;
}

/** What an operator does: `pg_dump` of a database that is in use. */
export async function backUp(databaseUrl: string): Promise<Backup> {
  const folder = await mkdtemp(join(tmpdir(), 'turnkeeper-backup-'));
  const file = join(folder, 'dump');
  await run('pg_dump', ['--format', 'custom', '--file', file, databaseUrl]);
  return {
    async restore() {
      await makeAnew(databaseUrl);
      await run('pg_restore', ['--exit-on-error', '--dbname', databaseUrl, file]);
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

async function makeAnew(databaseUrl: string): Promise<void> {
  const url = new URL(databaseUrl);
  const name = url.pathname.slice(1);
  url.pathname = '/postgres';
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    await client.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await client.query(`CREATE DATABASE ${name}`);
  } finally {
    await client.end();
  }
}
