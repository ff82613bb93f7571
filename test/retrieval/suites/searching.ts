import { expect, it } from 'vitest';
import { ask, chunksOf, document, numbered, once, texts } from '../content.ts';
import type { TestIndexes } from '../indexes.ts';

export function searching(indexes: TestIndexes): void {
  const filled = once(async () => {
    const index = await indexes.open('searching', 3);
    const leave = document('leave', { name: 'Leave.md' });
    const chunks = chunksOf('Parents get twenty weeks of leave.', 'Holidays are thirty days.');
    const vectors = [
      [1, 0, 0],
      [0, 1, 0],
    ];
    await index.upsert(leave, chunks, vectors);
    await index.upsert(document('travel'), chunksOf('Hotels cost up to 140 euros.'), [[0, 0, 1]]);
    return index;
  });

  it('finds by a few of the words of a question, without a vector', async () => {
    const index = await filled();
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

  it('finds by the vector where no word matches', async () => {
    const index = await filled();
    expect(await texts(index, ask('accommodation', [0.1, 0, 0.9], { limit: 1 }))).toEqual([
      'Hotels cost up to 140 euros.',
    ]);
  });

  it('joins both by reciprocal rank with k = 60', async () => {
    const index = await filled();
    const passages = await index.search(ask('holidays', [0.9, 0.5, 0.1]));
    expect(passages.map(({ text, score }) => [text, score])).toEqual([
      ['Holidays are thirty days.', expect.closeTo(1 / 61 + 1 / 62, 6)],
      ['Parents get twenty weeks of leave.', expect.closeTo(1 / 61, 6)],
      ['Hotels cost up to 140 euros.', expect.closeTo(1 / 63, 6)],
    ]);
  });

  it.each([
    `'); DROP TABLE spaces; --`,
    `weeks' | !( & <-> :* \\`,
    `"weeks" OR -leave AND (`,
    `it's O'Neil's \\'quoted\\' C:\\temp http://x.y/a&b'c`,
    'weeks \0 \ud83d 👩‍👩‍👧 %_',
    'x'.repeat(3_000),
    'many different words '.repeat(100_000),
    '👩‍👩‍👧',
    '',
  ])('takes any text as words, number %#', async (text) => {
    const index = await filled();
    const expected = text.includes('weeks') ? ['Parents get twenty weeks of leave.'] : [];
    expect(await texts(index, ask(text))).toEqual(expected);
  });

  it('shows nothing of another tenant or base', async () => {
    const index = await filled();
    const everything = ask('parents leave holidays hotels', [1, 1, 1]);
    expect(await texts(index, { ...everything, tenant: 'other' })).toEqual([]);
    expect(await texts(index, { ...everything, bases: ['secret'] })).toEqual([]);
    expect(await texts(index, { ...everything, bases: [] })).toEqual([]);
    expect(await texts(index, { ...everything, bases: ['secret', 'handbook'] })).toHaveLength(3);
  });

  it('gives no more than was asked for', async () => {
    const index = await filled();
    expect(await texts(index, ask('leave', [1, 1, 1], { limit: 2 }))).toHaveLength(2);
  });

  it('refuses a vector of another space', async () => {
    const index = await filled();
    await expect(async () => index.search(ask('x', [1, 2]))).rejects.toThrow('has 2 dimensions');
  });
}

export function crowded(indexes: TestIndexes): void {
  const filled = once(async () => {
    const index = await indexes.open('crowded', 2);
    // All of the crowd is nearer to the query [1, 0] than anything else.
    const crowd = numbered(4_000);
    const near = crowd.map((_, n) => [1, n / 1e6]);
    await index.upsert(document('crowd', { tenant: 'crowd' }), crowd, near);
    return index;
  });

  it('gets its nearest when they are compared one by one', async () => {
    const index = await filled();
    const far = numbered(5).map((_, n) => [n / 10, 1]);
    await index.upsert(document('few'), numbered(5), far);
    expect(await texts(index, ask('', [1, 0], { limit: 3 }))).toEqual([
      'chunk 4',
      'chunk 3',
      'chunk 2',
    ]);
  });

  it('gets its nearest when the index is asked', async () => {
    const index = await filled();
    const some = numbered(2_100);
    const far = some.map((_, n) => [n / 1e4, 1]);
    await index.upsert(document('some', { tenant: 'some' }), some, far);
    const found = await texts(index, ask('', [1, 0], { tenant: 'some', limit: 5 }));
    const numbers = found.map((text) => Number(text.split(' ')[1]));
    expect(numbers).toHaveLength(5);
    // HNSW is approximate, and built with chance: among the nearest tenth, not necessarily the nearest.
    for (const number of numbers) expect(number).toBeGreaterThan(1_890);
  });
}
