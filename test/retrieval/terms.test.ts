import { describe, expect, it } from 'vitest';
import { documentTerms, queryTerms } from '../../src/retrieval/terms.ts';

/** How many terms of a question are in the text. */
function matches(question: string, text: string): number {
  const { indices } = documentTerms(text);
  return queryTerms(question).indices.filter((index) => indices.includes(index)).length;
}

describe('a question matches a text', () => {
  it.each([
    ['in another case', 'LEAVE', 'leave'],
    ['with and without accents', 'cafe', 'Café'],
    ['composed or decomposed', 'Zu\u0308rich', 'Zürich'],
    ['in full width', 'ＡＢＣ１２３', 'abc123'],
    ['in German', 'straße', 'Die Straße ist lang.'],
    ['in Greek', 'λόγος', 'Ο λόγος του.'],
    ['in Russian', 'договор', 'Договор подписан.'],
    ['in Arabic', 'العالم', 'مرحبا العالم'],
    ['in Hebrew', 'שלום', 'שלום לכולם'],
    ['in Hindi', 'छुट्टी', 'मुझे छुट्टी चाहिए'],
    ['in Thai, which has no spaces', 'ลาคลอด', 'พนักงานมีสิทธิลาคลอดบุตร'],
    ['in Chinese', '搜索', '我的中文搜索很好用'],
    ['in Japanese', '検索', '日本語の文章を検索する'],
    ['in Korean, particles aside', '휴가', '휴가는 이십 일입니다'],
    ['of one character', '猫', '黒い猫がいる'],
    ['next to another script', 'report', '2024年report提出'],
  ])('%s', (_how, question, text) => {
    expect(matches(question, text)).toBeGreaterThan(0);
  });

  it.each([
    ['deployments', 'deployment'],
    ['parental', 'parents'],
    ['days', 'day'],
    ['Verträge', 'Vertrag'],
    ['договора', 'договор'],
  ])('by another form of the word, but less: %s and %s', (one, other) => {
    expect(matches(one, other)).toBe(1);
    expect(matches(one, one)).toBe(2);
  });

  it.each([
    ['house', 'mouse'],
    ['日本', '中国'],
    ['as', 'asking'],
    ['', 'anything'],
    ['?!… 👍', '?!… 👍'],
  ])('and not another word: %s and %s', (question, text) => {
    expect(matches(question, text)).toBe(0);
  });
});

describe('the weight of a term', () => {
  const weightOf = (term: string, text: string): number => {
    const { indices, values } = documentTerms(text);
    return values[indices.indexOf(queryTerms(term).indices[0] ?? -1)] ?? 0;
  };

  it('rises with every repetition, less and less', () => {
    const [once, twice, often] = ['leave', 'leave leave', 'leave '.repeat(50)].map((text) =>
      weightOf('leave', text),
    ) as [number, number, number];
    expect(twice).toBeGreaterThan(once);
    expect(often).toBeGreaterThan(twice);
    expect(often).toBeLessThan(3);
  });

  it('falls with the length of the text', () => {
    expect(weightOf('leave', `leave ${'x '.repeat(300)}`)).toBeLessThan(weightOf('leave', 'leave'));
  });
});

it('indices are unique whole numbers of 32 bits, as many as values', () => {
  const { indices, values } = documentTerms('a b c a b c 日本語日本語 '.repeat(100));
  expect(new Set(indices).size).toBe(indices.length);
  expect(values).toHaveLength(indices.length);
  for (const index of indices) expect(index).toBe(index >>> 0);
});

it('a question has only its first 64 words', () => {
  const words = Array.from({ length: 500 }, (_, n) => `word${n}`).join(' ');
  expect(queryTerms(words).indices.length).toBeLessThanOrEqual(128);
  expect(queryTerms('the same '.repeat(1_000)).indices.length).toBeLessThanOrEqual(4);
});
