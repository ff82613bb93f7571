import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isTurnkeeperError } from '../../src/contracts/errors.ts';
import type { VectorIndex } from '../../src/contracts/retrieval.ts';
import type { RunningPglite } from '../../src/dev/pglite/start.ts';
import { pgvectorIndex } from '../../src/retrieval/pgvector.ts';
import { startTestPglite } from '../support/pglite.ts';
import { openPool } from '../support/pool.ts';
import { ask, chunksOf, document, texts } from './content.ts';

let database: RunningPglite;
let pool: pg.Pool;
const opened: VectorIndex[] = [];

beforeAll(async () => {
  database = await startTestPglite();
  pool = openPool(database.url, 2);
});

afterAll(async () => {
  await Promise.all(opened.map((index) => index.close()));
  await pool.end();
  await database.stop();
});

async function open(space: string, dimensions: number | null): Promise<VectorIndex> {
  const index = pgvectorIndex({ connectionString: database.url, space, dimensions });
  opened.push(index);
  await index.prepare();
  return index;
}

describe('preparing', () => {
  test('names the table after the space and its dimensions', async () => {
    await open('My space', 3);
    const { rows } = await pool.query<{ table_name: string }>(
      `SELECT table_name FROM turnkeeper_vectors.spaces WHERE space = 'My space'`,
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.table_name).toMatch(/^turnkeeper_vectors\.chunks_my_space_[0-9a-f]{8}$/);
  });

  test('keeps spaces of one name and different dimensions apart', async () => {
    const small = await open('same name', 2);
    await small.upsert(document('one'), chunksOf('apples'), [[1, 0]]);
    const large = await open('same name', 3);
    expect(await texts(large, ask('apples', [1, 0, 0]))).toEqual([]);
    expect(await texts(small, ask('apples', [1, 0]))).toEqual(['apples']);
  });

  test('refuses an index that a newer release has changed', async () => {
    await open('newer', null);
    await pool.query(`UPDATE turnkeeper_vectors.spaces SET version = 99 WHERE space = 'newer'`);
    const error: unknown = await open('newer', null).catch((refusal: unknown) => refusal);
    expect(isTurnkeeperError(error, 'database_too_new')).toBe(true);
  });
});

test('words that say nothing in English find nothing', async () => {
  const index = await open('stop words', null);
  await index.upsert(document('one'), chunksOf('The end of the line.'), null);
  expect(await texts(index, ask('the of and'))).toEqual([]);
  expect(await texts(index, ask('lines'))).toEqual(['The end of the line.']);
});

test('a database that is not there rejects, and the index can be closed', async () => {
  const index = pgvectorIndex({
    connectionString: 'postgres://127.0.0.1:1/x',
    space: 's',
    dimensions: null,
  });
  await expect(index.prepare()).rejects.toThrow('ECONNREFUSED');
  await index.close();
});
