/** A sentence and the number of the passage it is from. */
interface Sentence {
  text: string;
  number: number;
}

interface Candidate extends Sentence {
  words: Set<string>;
  /** Words of the heading it stands under. */
  context: Set<string>;
}

/** A heading's word tells what a sentence is about, but less surely than its own. */
const HEADING_WEIGHT = 0.5;
/** Sentences that score less than this share of the best one are left out. */
const CUTOFF = 0.5;

const STOPWORDS = new Set(
  (
    'a about after all also an and any are as at be been before but by can could did do does for from had has have how ' +
    'i if in into is it its may me might much must my no not of on or our shall should so some than that the their them ' +
    'then there these they this those to up us was we were what when where which who why will with would you your tell'
  ).split(' '),
);

/** The sentences that share most with the question, rare words counting more; best first, each text once. */
export function bestSentences(
  passages: { number: number; text: string }[],
  question: string,
  limit: number,
): Sentence[] {
  const asked = wordsOf(question);
  const candidates = unique(passages.flatMap(readSentences));
  const weights = new Map([...asked].map((word) => [word, weightOf(word, candidates)]));
  const scored = candidates
    .map((candidate) => ({ candidate, score: scoreOf(candidate, weights) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score);
  const best = scored[0]?.score ?? 0;
  return scored
    .filter(({ score }) => score >= best * CUTOFF)
    .slice(0, limit)
    .map(({ candidate }) => ({ text: candidate.text, number: candidate.number }));
}

function weightOf(word: string, candidates: Candidate[]): number {
  const having = candidates.filter(({ words }) => words.has(word)).length;
  return Math.log(1 + candidates.length / (having + 1));
}

function scoreOf(candidate: Candidate, weights: Map<string, number>): number {
  let score = 0;
  for (const [word, weight] of weights) {
    if (candidate.words.has(word)) score += weight;
    else if (candidate.context.has(word)) score += weight * HEADING_WEIGHT;
  }
  return score;
}

/** Neighbouring passages overlap, so that a sentence may come twice. */
function unique(candidates: Candidate[]): Candidate[] {
  const seen = new Set<string>();
  return candidates.filter(({ text }) => !seen.has(text) && seen.add(text));
}

function readSentences(passage: { number: number; text: string }): Candidate[] {
  const candidates: Candidate[] = [];
  let context = new Set<string>();
  for (const block of blocksOf(passage.text)) {
    const heading = /^#{1,6} (.*)$/.exec(block);
    if (heading !== null) {
      context = wordsOf(heading[1] ?? '');
      continue;
    }
    for (const text of sentencesOf(plain(block))) {
      candidates.push({ text, number: passage.number, words: wordsOf(text), context });
    }
  }
  return candidates;
}

/** Paragraphs with their lines joined; headings, list items and table rows stand alone. */
function blocksOf(text: string): string[] {
  const blocks: string[] = [];
  let open = false;
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    const alone = /^(?:#{1,6} |\|)/.test(line);
    const begins = alone || !open || /^(?:[-*+]|\d+[.)]) /.test(line);
    if (line !== '' && begins) blocks.push(line);
    else if (line !== '') blocks.push(`${blocks.pop() ?? ''} ${line}`);
    open = line !== '' && !alone;
  }
  return blocks.filter((block) => /[\p{L}\p{N}]/u.test(block));
}

/** Without Markdown's marks: list bullets, table bars, emphasis, links. */
function plain(block: string): string {
  return block
    .replace(/^(?:[-*+]|\d+[.)]|>) /, '')
    .replace(/^\|\s*|\s*\|$/g, '')
    .replace(/\s*\|\s*/g, ', ')
    .replace(/\[([^\]]+)\]\([^)]*\)/g, '$1')
    .replace(/\*\*|`/g, '');
}

function sentencesOf(text: string): string[] {
  const segments = new Intl.Segmenter('en', { granularity: 'sentence' }).segment(text);
  return [...segments].map(({ segment }) => segment.trim()).filter((sentence) => sentence !== '');
}

function wordsOf(text: string): Set<string> {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return new Set(words.filter((word) => !STOPWORDS.has(word)).map(stem));
}

/** Enough of a stem to join "returns" with "returned". */
function stem(word: string): string {
  return word.length < 5 ? word : word.replace(/(?:ing|ed|es|s|e)$/, '');
}
