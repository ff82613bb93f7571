import { countTokens, setMergeCacheSize } from 'gpt-tokenizer/encoding/o200k_base';
import { v5 as uuidv5 } from 'uuid';
import type { Chunk } from '../contracts/retrieval.ts';

export interface ChunkLimits {
  /** Most tokens of a chunk (o200k, its words counted one by one), 64 or more. */
  maxTokens: number;
  /** Most tokens that a chunk repeats of the one before it; at most half of `maxTokens`. */
  overlapTokens: number;
}

export const CHUNK_LIMITS: ChunkLimits = { maxTokens: 200, overlapTokens: 40 };

const NAMESPACE = '6f1c2f0e-5d0b-5c3a-9a53-0d5a8c7b1e42';

/** How good it is to break before a word: the higher, the better. */
const BREAK = { insideWord: 0, word: 1, sentence: 2, paragraph: 3, heading: 4 } as const;

/** The tokenizer takes quadratic time on long runs without a boundary, so it is given short pieces. */
const PIECE = /(\s*)((?:[^\s。！？]{1,16}[。！？]?|[。！？]))/uy;
const LONGEST_GAP = 200;
const WORDS_AT_ONCE = 2_000;
const CHUNKS_AT_ONCE = 50;
const SENTENCE_END = /[.!?…:;。！？]["'”’)\]*_]*$/u;
const HEADING = /#{1,6}[ \t]/y;
/** Text such as `<|endoftext|>` in a document is text. */
const PLAIN = { disallowedSpecial: new Set<string>() };

/** The words of a text in order, as parallel lists. */
interface Words {
  start: number[];
  end: number[];
  /** Tokens of the word with the white space before it. */
  tokens: number[];
  /** How good it is to break before it. */
  level: number[];
}

/**
 * Cuts a document into overlapping chunks, at headings, paragraphs and sentences where it can; across a heading there
 * is no overlap. `text.slice(chunk.start, chunk.end) === chunk.text`; white space at the edges belongs to no chunk.
 * The same document and text always give the same ids. Throws `RangeError` for limits out of range.
 */
export function chunkText(documentId: string, text: string, limits = CHUNK_LIMITS): Chunk[] {
  const work = chunking(documentId, text, limits);
  let step = work.next();
  while (!step.done) step = work.next();
  return step.value;
}

/** The same, letting other work of the process in every few milliseconds: a large document takes seconds. */
export async function chunkTextInSlices(documentId: string, text: string): Promise<Chunk[]> {
  const work = chunking(documentId, text, CHUNK_LIMITS);
  let step = work.next();
  while (!step.done) {
    await new Promise((resolve) => setImmediate(resolve));
    step = work.next();
  }
  return step.value;
}

/** Yields wherever it may be interrupted. */
function* chunking(
  documentId: string,
  text: string,
  limits: ChunkLimits,
): Generator<undefined, Chunk[], undefined> {
  const { maxTokens, overlapTokens } = limits;
  if (maxTokens < 64 || overlapTokens < 0 || overlapTokens > maxTokens / 2) {
    throw new RangeError(
      `Chunks of ${maxTokens} tokens that overlap by ${overlapTokens} cannot be made.`,
    );
  }
  // The tokenizer's cache makes it a hundred times slower once it is full.
  setMergeCacheSize(0);
  const words = yield* splitWords(text);
  const chunks: Chunk[] = [];
  let first = 0;
  let covered = 0;
  while (covered < words.start.length) {
    let end = bestEnd(text, words, { first, covered, maxTokens });
    if (end <= covered) {
      // No room for anything new beside the overlap.
      first = covered;
      end = bestEnd(text, words, { first, covered, maxTokens });
    }
    chunks.push(toChunk(documentId, text, words, { ordinal: chunks.length, first, end }));
    covered = end;
    first = overlapStart(words, first, end, overlapTokens);
    if (chunks.length % CHUNKS_AT_ONCE === 0) yield;
  }
  return chunks;
}

function* splitWords(text: string): Generator<undefined, Words, undefined> {
  const words: Words = { start: [], end: [], tokens: [], level: [] };
  const counts = new Map<string, number>();
  const length = text.trimEnd().length;
  let position = 0;
  let previous = '';
  while (position < length) {
    // Shared with other texts that are being cut.
    PIECE.lastIndex = position;
    const match = PIECE.exec(text);
    if (!match) throw new Error('A text was not cut to its end.');
    const [whole, gap = '', word = ''] = match;
    const end = match.index + whole.length;
    position = end;
    words.start.push(end - word.length);
    words.end.push(end);
    const tokens = counts.get(whole) ?? tokensWithGap(gap, word);
    counts.set(whole, tokens);
    words.tokens.push(tokens);
    words.level.push(breakBefore(text, end - word.length, gap, previous));
    previous = word;
    if (words.start.length % WORDS_AT_ONCE === 0) yield;
  }
  return words;
}

function tokensWithGap(gap: string, word: string): number {
  if (gap.length > LONGEST_GAP) return gap.length + countTokens(word, PLAIN);
  return countTokens(gap + word, PLAIN);
}

function breakBefore(text: string, start: number, gap: string, previous: string): number {
  const lines = gap.split('\n').length - 1;
  if (lines > 0 && startsHeading(text, start)) return BREAK.heading;
  if (lines > 1) return BREAK.paragraph;
  if (lines > 0) return BREAK.sentence;
  if (gap === '') return /[。！？]$/u.test(previous) ? BREAK.sentence : BREAK.insideWord;
  return SENTENCE_END.test(previous) ? BREAK.sentence : BREAK.word;
}

function startsHeading(text: string, start: number): boolean {
  HEADING.lastIndex = start;
  return HEADING.test(text);
}

/** Words from `first` on make a chunk; those before `covered` were in the chunk before it. */
interface Place {
  first: number;
  covered: number;
  maxTokens: number;
}

/**
 * The end (exclusive) of a chunk: the best, then latest place to break in the second half of what the limit allows,
 * past `covered` if there is room.
 */
function bestEnd(text: string, words: Words, { first, covered, maxTokens }: Place): number {
  const last = lastEnd(text, words, { first, covered, maxTokens });
  if (last === words.start.length) return last;
  let best = last;
  let dropped = 0;
  for (let end = last - 1; end > Math.max(first, covered); end--) {
    dropped += words.tokens[end] ?? 0;
    if (dropped > maxTokens / 2) break;
    if (levelAt(words, end) > levelAt(words, best)) best = end;
  }
  return best;
}

function lastEnd(text: string, words: Words, { first, maxTokens }: Place): number {
  // White space before a chunk is not part of it, and often shares a token with the word after it.
  let tokens = countTokens(text.slice(words.start[first], words.end[first]), PLAIN);
  let end = first + 1;
  for (; end < words.start.length; end++) {
    tokens += words.tokens[end] ?? 0;
    if (tokens > maxTokens) break;
  }
  return end;
}

/** Where the next chunk begins: the best, then earliest place within `overlapTokens` before `end`. */
function overlapStart(words: Words, first: number, end: number, overlapTokens: number): number {
  if (levelAt(words, end) === BREAK.heading) return end;
  let best = end;
  let tokens = 0;
  for (let start = end - 1; start > first; start--) {
    tokens += words.tokens[start] ?? 0;
    if (tokens > overlapTokens) break;
    if (best === end || levelAt(words, start) >= levelAt(words, best)) best = start;
  }
  return best;
}

function levelAt(words: Words, index: number): number {
  return words.level[index] ?? BREAK.insideWord;
}

function toChunk(
  documentId: string,
  text: string,
  words: Words,
  range: { ordinal: number; first: number; end: number },
): Chunk {
  const start = words.start[range.first] ?? 0;
  const end = words.end[range.end - 1] ?? start;
  const id = uuidv5(`${documentId}:${range.ordinal}`, NAMESPACE);
  return { id, ordinal: range.ordinal, start, end, text: text.slice(start, end) };
}
