import { expect, it } from 'vitest';
import { ask, chunksOf, document, numbered, texts } from '../content.ts';
import type { TestIndexes } from '../indexes.ts';

export function preparing(indexes: TestIndexes): void {
  it('may be done again, and by several at once', async () => {
    const several = [1, 2, 3, 4].map(() => indexes.create('at once', 3));
    await Promise.all(several.map((index) => index.prepare()));
    await Promise.all(several.map((index) => index.prepare()));
    for (const [n, index] of several.entries()) {
      await index.upsert(document(`d${n}`), chunksOf('word'), [[1, 0, 0]]);
    }
    expect(await several[0]?.search(ask('word', [1, 0, 0]))).toHaveLength(4);
  });

  it('keeps spaces apart whose names look alike, whatever characters they have', async () => {
    const names = [
      'a-b',
      'a_b',
      'A b',
      '"; DROP SCHEMA turnkeeper_vectors CASCADE; --',
      '../../etc/passwd',
      '模型'.repeat(40),
    ];
    for (const [n, name] of names.entries()) {
      await (await indexes.open(name, null)).upsert(document('one'), chunksOf(`word${n}`), null);
    }
    for (const [n, name] of names.entries()) {
      const index = await indexes.open(name, null);
      const query = ask(names.map((_, other) => `word${other}`).join(' '));
      expect(await texts(index, query)).toEqual([`word${n}`]);
    }
  });
}

export function writing(indexes: TestIndexes): void {
  it('the same twice leaves the same, and a new text replaces the old one', async () => {
    const index = await indexes.open('writing', 2);
    const write = (text: string, vector: number[]): Promise<void> =>
      index.upsert(document('one'), chunksOf(text), [vector]);
    await write('apples', [1, 0]);
    await write('apples', [1, 0]);
    expect(await texts(index, ask('apples', [1, 0]))).toEqual(['apples']);
    await write('pears', [0, 1]);
    expect(await texts(index, ask('apples'))).toEqual([]);
    expect(await texts(index, ask('pears', [1, 0]))).toEqual(['pears']);
  });

  it('a chunk again without a vector leaves none of the old one', async () => {
    const index = await indexes.open('unembedded', 2);
    await index.upsert(document('one'), chunksOf('apples'), [[1, 0]]);
    await index.upsert(document('one'), chunksOf('apples'), null);
    expect(await texts(index, ask('', [1, 0]))).toEqual([]);
    expect(await texts(index, ask('apples', [1, 0]))).toEqual(['apples']);
  });

  it('deleting from an ordinal keeps what is before it; other documents and tenants stay', async () => {
    const index = await indexes.open('deleting', null);
    await index.upsert(document('one'), chunksOf('word a', 'word b', 'word c'), null);
    await index.upsert(document('two'), chunksOf('word d'), null);
    await index.upsert(document('one', { tenant: 'other' }), chunksOf('word e'), null);
    await index.deleteDocument({ tenant: 'acme', documentId: 'one' }, 1);
    expect((await texts(index, ask('word'))).sort()).toEqual(['word a', 'word d']);
    await index.deleteDocument({ tenant: 'acme', documentId: 'one' });
    await index.deleteDocument({ tenant: 'acme', documentId: 'unknown' });
    expect(await texts(index, ask('word'))).toEqual(['word d']);
    expect(await texts(index, ask('word', null, { tenant: 'other' }))).toEqual(['word e']);
  });

  it('a document of many chunks is written whole', async () => {
    const index = await indexes.open('many', 2);
    const chunks = numbered(157);
    await index.upsert(
      document('one'),
      chunks,
      chunks.map((_, n) => [n, 1]),
    );
    const found = await texts(index, ask('chunk', [1, 0], { limit: 200 }));
    expect(found.sort()).toEqual(chunks.map(({ text }) => text).sort());
  });

  it('vectors that do not fit are refused, and change nothing', async () => {
    const index = await indexes.open('fitting', 2);
    await expect(index.upsert(document('one'), chunksOf('a', 'b'), [[1, 2]])).rejects.toThrow(
      '1 vectors',
    );
    await expect(
      index.upsert(document('one'), chunksOf('aaa', 'bbb'), [[1, 2], [1]]),
    ).rejects.toThrow('1 dimensions');
    expect(await index.search(ask('aaa', [1, 0]))).toEqual([]);
    const textAlone = await indexes.open('text alone', null);
    await expect(textAlone.upsert(document('one'), chunksOf('a'), [[1]])).rejects.toThrow(
      'has none',
    );
  });

  it('a space of three thousand dimensions is indexed too', async () => {
    const index = await indexes.open('large', 3_000);
    const vector = (n: number): number[] =>
      Array.from({ length: 3_000 }, (_, i) => (i === n ? 1 : 0));
    await index.upsert(document('one'), chunksOf('a', 'b'), [vector(0), vector(1)]);
    expect(await texts(index, ask('', vector(1), { limit: 1 }))).toEqual(['b']);
  });
}

export function hostileTexts(indexes: TestIndexes): void {
  it('what no database keeps becomes U+FFFD, in texts and names, and moves nothing', async () => {
    const index = await indexes.open('odd characters', null);
    const odd = 'word \0 \ud83d word \udc00';
    await index.upsert(document('one', { name: 'a\0b\ud83d' }), chunksOf(odd), null);
    const [passage] = await index.search(ask('word'));
    expect(passage).toMatchObject({
      text: 'word \uFFFD \uFFFD word \uFFFD',
      documentName: 'a\uFFFDb\uFFFD',
    });
  });

  it.each([
    ['a megabyte of one word', 'x'.repeat(1_048_576)],
    ['emoji', '👩‍👩‍👧 🏳️‍🌈 👍🏽'],
    ['text from right to left', 'שלום \u202eevil\u202c مرحبا بالعالم'],
    ['combining marks', `Z${'\u0300'.repeat(5_000)}algo`],
    ['quotes and operators', `'"\\;--/**/ & | ! :* {"a": null} $1 \${x} %s`],
    ['punctuation alone', '… — ! ? ?!'],
  ])('%s is kept as it is', async (_what, hostile) => {
    const index = await indexes.open('hostile', 2);
    const one = document('one', { name: hostile.slice(0, 1_000) });
    await index.upsert(one, chunksOf(hostile, `neighbour ${hostile}`), [
      [1, 0],
      [0, 1],
    ]);
    const found = await index.search(ask('neighbour', [1, 0]));
    expect(found.map(({ text }) => text).sort()).toEqual([hostile, `neighbour ${hostile}`].sort());
    expect(found[0]?.documentName).toBe(hostile.slice(0, 1_000));
    await index.search(ask(hostile, [1, 0]));
  });
}
