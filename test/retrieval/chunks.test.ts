import fc from 'fast-check';
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { readdir, readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { CHUNK_LIMITS, chunkText } from '../../src/conversation/chunks.ts';

const DOCUMENTS = new URL('../../examples/documents/', import.meta.url);
const ID = '0197a3b2-0000-7000-8000-000000000001';

function tokensOf(text: string): number {
  return countTokens(text, { disallowedSpecial: new Set() });
}

const word = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }) },
  fc.constantFrom(
    'Expenses',
    'are',
    'paid.',
    '# Leave',
    '##',
    '<|endoftext|>',
    '文。',
    '👩‍👩‍👧',
    '\ud83d',
  ),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 80 }),
);
const gap = fc.constantFrom(
  ' ',
  ' ',
  ' ',
  '\n',
  '\n\n',
  '\r\n',
  '\t',
  '',
  '\u3000',
  ' '.repeat(300),
);
const documents = fc
  .array(fc.tuple(word, gap), { maxLength: 400 })
  .map((parts) => parts.flat().join(''));

describe('every text', () => {
  test('is covered but for white space, in order, by ranges that give the chunks', () => {
    fc.assert(
      fc.property(documents, (text) => {
        const chunks = chunkText(ID, text);
        let covered = 0;
        for (const [index, chunk] of chunks.entries()) {
          expect(chunk.ordinal).toBe(index);
          expect(text.slice(chunk.start, chunk.end)).toBe(chunk.text);
          expect(chunk.end).toBeGreaterThan(covered);
          expect(text.slice(covered, Math.max(covered, chunk.start)).trim()).toBe('');
          covered = chunk.end;
        }
        expect(text.slice(covered).trim()).toBe('');
      }),
    );
  });

  test('gives trimmed chunks within the limit, each starting after the one before it', () => {
    fc.assert(
      fc.property(documents, (text) => {
        let previous = -1;
        for (const chunk of chunkText(ID, text)) {
          // Joined words are not always cut into the same tokens as single ones.
          expect(tokensOf(chunk.text)).toBeLessThanOrEqual(CHUNK_LIMITS.maxTokens + 4);
          expect(chunk.start).toBeGreaterThan(previous);
          expect(chunk.text).toBe(chunk.text.trim());
          previous = chunk.start;
        }
      }),
    );
  });

  test('is never cut between the halves of a surrogate pair', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('👍', '𒀀', 'a'), minLength: 300 }), (text) => {
        for (const chunk of chunkText(ID, text)) expect(chunk.text).not.toMatch(/\p{Surrogate}/u);
      }),
    );
  });

  test('gives the same chunks and ids again, and other ids to another document', () => {
    fc.assert(
      fc.property(documents, (text) => {
        const chunks = chunkText(ID, text);
        expect(chunkText(ID, text)).toEqual(chunks);
        const ids = chunks.map((chunk) => chunk.id);
        const others = chunkText('another', text).map((chunk) => chunk.id);
        expect(new Set([...ids, ...others]).size).toBe(2 * chunks.length);
      }),
    );
  });
});

test('empty and blank texts have no chunks', () => {
  expect(chunkText(ID, '')).toEqual([]);
  expect(chunkText(ID, ' \n\t\u00a0\n')).toEqual([]);
});

test('neighbours overlap by whole sentences, up to the limit', () => {
  const text = Array.from({ length: 80 }, (_, n) => `Sentence number ${n} says something.`).join(
    ' ',
  );
  const chunks = chunkText(ID, text);
  expect(chunks.length).toBeGreaterThan(2);
  for (const [index, chunk] of chunks.entries()) {
    expect(chunk.text).toMatch(/^Sentence[^]*\.$/);
    const before = chunks[index - 1];
    if (!before) continue;
    const overlap = tokensOf(text.slice(chunk.start, before.end));
    expect(overlap).toBeGreaterThan(20);
    expect(overlap).toBeLessThanOrEqual(CHUNK_LIMITS.overlapTokens);
  }
});

test('a chunk ends before a heading rather than in the section after it, and does not reach back over it', () => {
  const section = (n: number): string =>
    `## Part ${n}\n\n${`Rule ${n} holds. `.repeat(26).trim()}\n\n`;
  const chunks = chunkText(ID, [1, 2, 3].map(section).join(''));
  expect(chunks.map((chunk) => chunk.text.slice(0, 9))).toEqual([
    '## Part 1',
    '## Part 2',
    '## Part 3',
  ]);
});

test('limits that cannot work are refused', () => {
  expect(() => chunkText(ID, 'x', { maxTokens: 10, overlapTokens: 0 })).toThrow(RangeError);
  expect(() => chunkText(ID, 'x', { maxTokens: 100, overlapTokens: 51 })).toThrow(RangeError);
});

describe('a document of five million characters', () => {
  const megabytes = {
    'one line without a space': 'x9Q',
    'one CJK sentence without an end': '漢字仮',
    'white space': ' \n\n',
  };

  // Quadratic time would be minutes here; the limit is the test's own timeout.
  test.each(Object.entries(megabytes))('is cut in linear time when it is %s', (_, unit) => {
    const text = `Start ${unit.repeat(1_700_000)} end`;
    const chunks = chunkText(ID, text);
    expect(chunks.at(-1)?.end).toBe(text.length);
    expect(chunks[0]?.start).toBe(0);
  });
});

test('the example documents are cut at their headings and sentences', async () => {
  const names = (await readdir(DOCUMENTS)).filter((name) => name.endsWith('.md'));
  expect(names.length).toBeGreaterThanOrEqual(4);
  for (const name of names) {
    const text = await readFile(new URL(name, DOCUMENTS), 'utf8');
    for (const chunk of chunkText(name, text)) expect(chunk.text).toMatch(/[.:|)\]]$/);
  }
});
