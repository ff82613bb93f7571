/** A sparse vector: term weights, by the hash of the term. */
export interface TermWeights {
  indices: number[];
  values: number[];
}

/** Saturation of repeated words and weight of a text's length in BM25, as usually chosen. */
const BM25_K = 1.2;
const BM25_B = 0.75;
/** Words of a chunk, roughly: BM25 asks how much longer a text is than others. */
const TYPICAL_WORDS = 150;
const STEM_LENGTH = 5;
/** Words of up to so many letters are mostly grammar, in most languages. */
const SHORT_WORD = 3;
const MAX_QUERY_CHARACTERS = 10_000;
const MAX_QUERY_TOKENS = 64;

const LETTER = String.raw`[\p{L}\p{N}\p{M}]`;
/** Scripts that put no spaces between words, and Korean, which glues particles to them. */
const UNSPACED = String.raw`[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Hang}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmr}\p{scx=Mymr}]`;
const RUN = new RegExp(
  `(?<unspaced>(?:(?=${LETTER})${UNSPACED})+)|(?<word>(?:(?!${UNSPACED})${LETTER})+)`,
  'gu',
);

/**
 * A word of a text, in two forms that are matched apart: as it is, and loosely, so that its other forms count too. No
 * dictionary and no language is asked for: inflection is mostly at the end of words.
 */
interface Token {
  exact: string;
  loose: string;
  isShort: boolean;
}

/** What a text is found by: BM25 without the inverse document frequency, which Qdrant computes from all that it has. */
export function documentTerms(text: string): TermWeights {
  const counts = new Map<number, number>();
  let length = 0;
  for (const token of tokensOf(text)) {
    length += 1;
    for (const index of [exactIndex(token), looseIndex(token)]) {
      counts.set(index, (counts.get(index) ?? 0) + 1);
    }
  }
  const norm = BM25_K * (1 - BM25_B + (BM25_B * length) / TYPICAL_WORDS);
  const weights = [...counts.values()].map((count) => (count * (BM25_K + 1)) / (count + norm));
  return { indices: [...counts.keys()], values: weights };
}

/** The words of a question, any of which may match; of a long one only the first. Short words count half. */
export function queryTerms(text: string): TermWeights {
  const indices = new Set<number>();
  let tokens = 0;
  for (const token of tokensOf(text.slice(0, MAX_QUERY_CHARACTERS))) {
    if (indices.has(exactIndex(token))) continue;
    if ((tokens += 1) > MAX_QUERY_TOKENS) break;
    indices.add(exactIndex(token));
    if (!token.isShort) indices.add(looseIndex(token));
  }
  return { indices: [...indices], values: [...indices].map(() => 1) };
}

/** Words of a text; where a script has no spaces, its pairs of characters, loosely each character. */
function* tokensOf(text: string): Generator<Token> {
  for (const { groups = {} } of folded(text).matchAll(RUN)) {
    const { word, unspaced = '' } = groups;
    if (word !== undefined) {
      yield { exact: word, loose: stemOf(word), isShort: word.length <= SHORT_WORD };
    }
    const characters = Array.from(unspaced);
    for (const [at, character] of characters.entries()) {
      yield { exact: character + (characters[at + 1] ?? ''), loose: character, isShort: false };
    }
  }
}

/** Without case, width and accents. */
function folded(text: string): string {
  return text
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, '')
    .normalize('NFC');
}

function stemOf(word: string): string {
  const singular = word.length > SHORT_WORD ? word.replace(/(?<!s)s$/, '') : word;
  return singular.slice(0, STEM_LENGTH);
}

function exactIndex({ exact }: Token): number {
  return hash(exact);
}

/** No word begins like this. */
function looseIndex({ loose }: Token): number {
  return hash(`~${loose}`);
}

/** FNV-1a, 32 bits: among a million words a hundred pairs share an index. */
function hash(term: string): number {
  let hashed = 0x811c9dc5;
  for (let at = 0; at < term.length; at += 1) {
    hashed = Math.imul(hashed ^ term.charCodeAt(at), 0x01000193);
  }
  return hashed >>> 0;
}
