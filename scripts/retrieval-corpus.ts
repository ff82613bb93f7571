import { v5 as uuidv5 } from 'uuid';
import type { Chunk, IndexedDocument } from '../src/contracts/retrieval.ts';
import { randomNumbers } from '../test/support/random.ts';

/** Documents of made-up words and vectors: the same ones for the same sizes. */
export interface Corpus {
  dimensions: number;
  documents: CorpusDocument[];
  /** A question in the manner of the chunks. */
  question(): { text: string; vector: number[] };
  /** Chunk ids of the nearest vectors, of all in that scope: exact. */
  nearest(vector: number[], scope: Scope, limit: number): string[];
  count(scope: Scope): number;
}

export interface CorpusDocument {
  document: IndexedDocument;
  chunks: Chunk[];
  vectors: number[][];
}

export interface Scope {
  tenant: string;
  bases: string[];
}

/** Tenants with their part of all chunks; each has ten bases of the same size. */
export const TENANTS = { large: 0.5, medium: 0.35, small: 0.15 } as const;
export const BASES = Array.from({ length: 10 }, (_, n) => `base-${n}`);

const DIMENSIONS = 384;
/** Embeddings of texts fill far fewer dimensions than they have; of random ones no index finds the nearest. */
const LATENT_DIMENSIONS = 24;
const TOPICS = 200;
const CHUNKS_PER_DOCUMENT = 32;
const WORDS_PER_CHUNK = 130;
const WORDS_PER_QUESTION = 9;
const VOCABULARY = 20_000;
const TOPIC_WORDS = 60;
const NAMESPACE = '5a0c3f7e-2b1d-5e8f-9c6a-7d4e3b2a1f00';

export function makeCorpus(size: number): Corpus {
  const random = randomNumbers(7);
  const space = latentSpace(random);
  const documents: CorpusDocument[] = [];
  for (const [tenant, part] of Object.entries(TENANTS)) {
    const count = Math.round(size * part);
    for (let first = 0; first < count; first += CHUNKS_PER_DOCUMENT) {
      const length = Math.min(CHUNKS_PER_DOCUMENT, count - first);
      documents.push(makeDocument({ tenant, number: documents.length, length, random, space }));
    }
  }
  const inScope = ({ tenant, bases }: Scope) =>
    documents.filter(({ document: d }) => d.tenant === tenant && bases.includes(d.base));
  return {
    dimensions: DIMENSIONS,
    documents,
    question() {
      const topic = Math.floor(random() * TOPICS);
      return { text: words(topic, WORDS_PER_QUESTION, random), vector: space.near(topic) };
    },
    nearest: (vector, scope, limit) => nearestOf(inScope(scope), vector, limit),
    count: (scope) => inScope(scope).reduce((sum, { chunks }) => sum + chunks.length, 0),
  };
}

interface NewDocument {
  tenant: string;
  number: number;
  length: number;
  random: () => number;
  space: LatentSpace;
}

function makeDocument({ tenant, number, length, random, space }: NewDocument): CorpusDocument {
  const documentId = uuidv5(`document ${number}`, NAMESPACE);
  const base = BASES[number % BASES.length] ?? '';
  const topics = Array.from({ length }, () => Math.floor(random() * TOPICS));
  const chunks = topics.map((topic, ordinal) => {
    const text = words(topic, WORDS_PER_CHUNK, random);
    const id = uuidv5(`chunk ${ordinal}`, documentId);
    return { id, ordinal, start: 1_000 * ordinal, end: 1_000 * ordinal + text.length, text };
  });
  const document = { tenant, base, documentId, name: `document-${number}.md` };
  return { document, chunks, vectors: topics.map((topic) => space.near(topic)) };
}

/** Half of the words are the topic's, the others as often as words of a language are (Zipf). */
function words(topic: number, count: number, random: () => number): string {
  const numbers = Array.from({ length: count }, () =>
    random() < 0.5
      ? topic * TOPIC_WORDS + Math.floor(random() * TOPIC_WORDS)
      : Math.floor(VOCABULARY ** random()),
  );
  return numbers.map((number) => `w${number.toString(36)}`).join(' ');
}

interface LatentSpace {
  /** A unit vector near the middle of the topic. */
  near(topic: number): number[];
}

function latentSpace(random: () => number): LatentSpace {
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const vector = (length: number) => Array.from({ length }, normal);
  const axes = Array.from({ length: DIMENSIONS }, () => vector(LATENT_DIMENSIONS));
  const topics = Array.from({ length: TOPICS }, () => vector(LATENT_DIMENSIONS));
  return {
    near(topic) {
      const latent = (topics[topic] ?? []).map((middle) => middle + 0.6 * normal());
      return unit(axes.map((axis) => dot(axis, latent) + 0.3 * normal()));
    },
  };
}

function nearestOf(documents: CorpusDocument[], vector: number[], limit: number): string[] {
  const measured = documents.flatMap(({ chunks, vectors }) =>
    chunks.map(({ id }, n) => ({ id, closeness: dot(vectors[n] ?? [], vector) })),
  );
  measured.sort((a, b) => b.closeness - a.closeness);
  return measured.slice(0, limit).map(({ id }) => id);
}

function dot(a: number[], b: number[]): number {
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) sum += (a[at] ?? 0) * (b[at] ?? 0);
  return sum;
}

function unit(vector: number[]): number[] {
  const length = Math.sqrt(dot(vector, vector));
  return vector.map((value) => value / length);
}
