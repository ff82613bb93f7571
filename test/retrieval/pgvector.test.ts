import { readdir, readFile } from 'node:fs/promises';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isTurnkeeperError } from '../../src/contracts/errors.ts';
import type {
  Chunk,
  IndexedDocument,
  SearchQuery,
  VectorIndex,
} from '../../src/contracts/retrieval.ts';
import { chunkText } from '../../src/conversation/chunks.ts';
import type { RunningPglite } from '../../src/dev/pglite/start.ts';
import { pgvectorIndex } from '../../src/retrieval/pgvector.ts';
import { startTestPglite } from '../support/pglite.ts';
import { openPool } from '../support/pool.ts';

const DOCUMENTS = new URL('../../examples/documents/', import.meta.url);

let database: RunningPglite;
let pool: pg.Pool;
const opened: VectorIndex[] = [];

beforeAll(async () => {
  database = await startTestPglite();
  pool = openPool(database.url, 10);
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

function document(documentId: string, fields: Partial<IndexedDocument> = {}): IndexedDocument {
  return { tenant: 'acme', base: 'handbook', documentId, name: `${documentId}.md`, ...fields };
}

function chunksOf(...texts: string[]): Chunk[] {
  return texts.map((text, ordinal) => ({
    id: `chunk-${ordinal}`,
    ordinal,
    start: 10 * ordinal,
    end: 10 * ordinal + 5,
    text,
  }));
}

function ask(
  text: string,
  vector: number[] | null = null,
  fields: Partial<SearchQuery> = {},
): SearchQuery {
  return { tenant: 'acme', bases: ['handbook'], text, vector, limit: 5, ...fields };
}

async function texts(index: VectorIndex, query: SearchQuery): Promise<string[]> {
  return (await index.search(query)).map((passage) => passage.text);
}

async function tableOf(space: string): Promise<string> {
  const { rows } = await pool.query<{ table_name: string }>(
    'SELECT table_name FROM turnkeeper_vectors.spaces WHERE space = $1',
    [space],
  );
  if (!rows[0]) throw new Error(`no table for ${space}`);
  return rows[0].table_name;
}

describe('preparing', () => {
  test('may be done again, and by several at once', async () => {
    const indexes = [1, 2, 3].map(() =>
      pgvectorIndex({ connectionString: database.url, space: 'at once', dimensions: 3 }),
    );
    opened.push(...indexes);
    await Promise.all(indexes.map((index) => index.prepare()));
    await Promise.all(indexes.map((index) => index.prepare()));
    await expect(tableOf('at once')).resolves.toMatch(
      /^turnkeeper_vectors\.chunks_at_once_[0-9a-f]{8}$/,
    );
  });

  test('keeps spaces apart whose names look alike, whatever characters they have', async () => {
    const names = [
      'a-b',
      'a_b',
      'A b',
      '"; DROP SCHEMA turnkeeper_vectors CASCADE; --',
      '模型'.repeat(40),
    ];
    for (const [n, name] of names.entries()) {
      await (await open(name, null)).upsert(document('one'), chunksOf(`word${n}`), null);
    }
    for (const [n, name] of names.entries()) {
      const index = await open(name, null);
      expect(await texts(index, ask('word0 word1 word2 word3 word4'))).toEqual([`word${n}`]);
    }
  });

  test('refuses an index that a newer release has changed', async () => {
    await open('newer', null);
    await pool.query(`UPDATE turnkeeper_vectors.spaces SET version = 99 WHERE space = 'newer'`);
    const error: unknown = await open('newer', null).catch((refusal: unknown) => refusal);
    expect(isTurnkeeperError(error, 'database_too_new')).toBe(true);
  });
});

describe('searching', () => {
  let index: VectorIndex;

  beforeAll(async () => {
    index = await open('searching', 3);
    await index.upsert(
      document('leave', { name: 'Leave.md' }),
      chunksOf('Parents get twenty weeks of leave.', 'Holidays are thirty days.'),
      [
        [1, 0, 0],
        [0, 1, 0],
      ],
    );
    await index.upsert(document('travel'), chunksOf('Hotels cost up to 140 euros.'), [[0, 0, 1]]);
  });

  test('finds by a few of the words of a question, without a vector', async () => {
    const [first, ...others] = await index.search(
      ask('How many weeks may my parent stay at home?'),
    );
    expect(others).toEqual([]);
    expect(first).toMatchObject({
      chunkId: 'chunk-0',
      documentId: 'leave',
      documentName: 'Leave.md',
      start: 0,
      end: 5,
      text: 'Parents get twenty weeks of leave.',
    });
  });

  test('finds by the vector where no word matches', async () => {
    expect(await texts(index, ask('accommodation', [0.1, 0, 0.9], { limit: 1 }))).toEqual([
      'Hotels cost up to 140 euros.',
    ]);
  });

  test('joins both by reciprocal rank with k = 60', async () => {
    const passages = await index.search(ask('holidays', [0.9, 0.5, 0.1]));
    expect(passages.map(({ text, score }) => [text, score])).toEqual([
      ['Holidays are thirty days.', expect.closeTo(1 / 61 + 1 / 62, 6)],
      ['Parents get twenty weeks of leave.', expect.closeTo(1 / 61, 6)],
      ['Hotels cost up to 140 euros.', expect.closeTo(1 / 63, 6)],
    ]);
  });

  test.each([
    `'); DROP TABLE spaces; --`,
    `weeks' | !( & <-> :* \\`,
    `"weeks" OR -leave AND (`,
    `it's O'Neil's \\'quoted\\' C:\\temp http://x.y/a&b'c`,
    'weeks \0 \ud83d 👩‍👩‍👧 %_',
    'x'.repeat(3_000),
    'many different words '.repeat(100_000),
    'the of and',
    '',
  ])('takes any text as words, number %#', async (text) => {
    const expected = text.includes('weeks') ? ['Parents get twenty weeks of leave.'] : [];
    expect(await texts(index, ask(text))).toEqual(expected);
  });

  test('shows nothing of another tenant or base', async () => {
    const everything = ask('parents leave holidays hotels', [1, 1, 1]);
    expect(await texts(index, { ...everything, tenant: 'other' })).toEqual([]);
    expect(await texts(index, { ...everything, bases: ['secret'] })).toEqual([]);
    expect(await texts(index, { ...everything, bases: [] })).toEqual([]);
    expect(await texts(index, { ...everything, bases: ['secret', 'handbook'] })).toHaveLength(3);
  });

  test('gives no more than was asked for', async () => {
    expect(await texts(index, ask('leave', [1, 1, 1], { limit: 2 }))).toHaveLength(2);
  });

  test('refuses a vector of another space', async () => {
    await expect(async () => index.search(ask('x', [1, 2]))).rejects.toThrow('has 2 dimensions');
  });
});

describe('a tenant with few chunks among many of another', () => {
  let index: VectorIndex;
  const many = (count: number): Chunk[] =>
    chunksOf(...Array.from({ length: count }, (_, n) => `chunk ${n}`));

  beforeAll(async () => {
    index = await open('crowded', 2);
    // All of the crowd is nearer to the query [1, 0] than anything else.
    await index.upsert(
      document('crowd', { tenant: 'crowd' }),
      many(4_000),
      many(4_000).map((_, n) => [1, n / 1e6]),
    );
    await index.upsert(document('few'), many(5), [
      [0, 1],
      [0.1, 1],
      [0.2, 1],
      [0.3, 1],
      [0.4, 1],
    ]);
    await index.upsert(
      document('some', { tenant: 'some' }),
      many(2_100),
      many(2_100).map((_, n) => [n / 1e4, 1]),
    );
  });

  test('gets its nearest when they are compared one by one', async () => {
    expect(await texts(index, ask('', [1, 0], { limit: 3 }))).toEqual([
      'chunk 4',
      'chunk 3',
      'chunk 2',
    ]);
  });

  test('gets its nearest when the index is asked', async () => {
    const found = await texts(index, ask('', [1, 0], { tenant: 'some', limit: 5 }));
    const numbers = found.map((text) => Number(text.split(' ')[1]));
    expect(numbers).toHaveLength(5);
    // HNSW is approximate: near, not necessarily the nearest.
    for (const number of numbers) expect(number).toBeGreaterThan(2_000);
  });
});

describe('writing', () => {
  test('the same twice leaves the same, and a new text replaces the old one', async () => {
    const index = await open('writing', 2);
    const write = (text: string, vector: number[]): Promise<void> =>
      index.upsert(document('one'), chunksOf(text), [vector]);
    await write('apples', [1, 0]);
    await write('apples', [1, 0]);
    expect(await texts(index, ask('apples', [1, 0]))).toEqual(['apples']);
    await write('pears', [0, 1]);
    expect(await texts(index, ask('apples'))).toEqual([]);
    expect(await texts(index, ask('pears', [1, 0]))).toEqual(['pears']);
  });

  test('deleting from an ordinal keeps what is before it; other documents and tenants stay', async () => {
    const index = await open('deleting', null);
    const chunks = chunksOf('word a', 'word b', 'word c');
    await index.upsert(document('one'), chunks, null);
    await index.upsert(document('two'), chunksOf('word d'), null);
    await index.upsert(document('one', { tenant: 'other' }), chunksOf('word e'), null);
    await index.deleteDocument({ tenant: 'acme', documentId: 'one' }, 1);
    expect((await texts(index, ask('word'))).sort()).toEqual(['word a', 'word d']);
    await index.deleteDocument({ tenant: 'acme', documentId: 'one' });
    await index.deleteDocument({ tenant: 'acme', documentId: 'unknown' });
    expect(await texts(index, ask('word'))).toEqual(['word d']);
    expect(await texts(index, ask('word', null, { tenant: 'other' }))).toEqual(['word e']);
  });

  test('a document of many chunks is written whole', async () => {
    const index = await open('many', null);
    const chunks = chunksOf(...Array.from({ length: 57 }, (_, n) => `word ${n}`));
    await index.upsert(document('one'), chunks, null);
    expect(await texts(index, ask('word', null, { limit: 100 }))).toHaveLength(57);
  });

  test('U+0000, which PostgreSQL refuses, is stored as U+FFFD', async () => {
    const index = await open('nul', null);
    await index.upsert(document('one', { name: 'a\0b' }), chunksOf('word \0 word'), null);
    const [passage] = await index.search(ask('word'));
    expect(passage).toMatchObject({ text: 'word \uFFFD word', documentName: 'a\uFFFDb' });
  });

  test('chunks without vectors are found by their words in a space that has vectors', async () => {
    const index = await open('mixed', 2);
    await index.upsert(document('one'), chunksOf('apples'), null);
    expect(await texts(index, ask('apples', [1, 0]))).toEqual(['apples']);
  });

  test('vectors that do not fit are refused', async () => {
    const index = await open('fitting', 2);
    await expect(index.upsert(document('one'), chunksOf('a', 'b'), [[1, 2]])).rejects.toThrow(
      '1 vectors',
    );
    await expect(index.upsert(document('one'), chunksOf('a'), [[1]])).rejects.toThrow(
      '1 dimensions',
    );
    const textAlone = await open('text alone', null);
    await expect(textAlone.upsert(document('one'), chunksOf('a'), [[1]])).rejects.toThrow(
      'has none',
    );
  });

  test('a space of three thousand dimensions is indexed too', async () => {
    const index = await open('large', 3_000);
    const vector = (n: number): number[] =>
      Array.from({ length: 3_000 }, (_, i) => (i === n ? 1 : 0));
    await index.upsert(document('one'), chunksOf('a', 'b'), [vector(0), vector(1)]);
    expect(await texts(index, ask('', vector(1), { limit: 1 }))).toEqual(['b']);
  });
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

describe('the example documents', () => {
  let index: VectorIndex;

  beforeAll(async () => {
    index = await open('examples', null);
    for (const name of await readdir(DOCUMENTS)) {
      const text = await readFile(new URL(name, DOCUMENTS), 'utf8');
      await index.upsert(document(name, { name }), chunkText(name, text), null);
    }
  });

  test.each([
    ['How many weeks of paid leave does a new parent get?', '20 weeks of leave at full pay'],
    ['What is the hotel limit in London?', 'In London, Zurich'],
    ['Can I fly business class?', 'business class only with written'],
    ['How do I roll back a deployment?', '`ship rollback`'],
    ['What am I paid for being on call?', '450 euros a week'],
    ['How long must my password be?', 'at least 16 characters'],
    ['How many days a week can I work from home?', 'three days a week'],
  ])('answer by full text alone: %s', async (question, fact) => {
    const [first] = await index.search(ask(question));
    expect(first?.text).toContain(fact);
  });
});
