/**
 * Measures both vector indexes through their port, one after the other, and prints a page of Markdown.
 *
 *     npm run measure:retrieval -- [--chunks 50000] [--questions 200] > docs/results/retrieval.md
 */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import type { VectorIndex } from '../src/contracts/retrieval.ts';
import { startPgvector, startQdrant, type MeasuredIndex } from './measured-indexes.ts';
import { BASES, makeCorpus, TENANTS, type Corpus, type Scope } from './retrieval-corpus.ts';

const LIMIT = 10;
const WARM_UP = 20;

const SCOPES: Record<string, Scope> = {
  'large tenant': { tenant: 'large', bases: BASES },
  'medium tenant': { tenant: 'medium', bases: BASES },
  'small tenant': { tenant: 'small', bases: BASES },
  'one base of the large tenant': { tenant: 'large', bases: BASES.slice(0, 1) },
};

interface Figures {
  scope: string;
  chunks: number;
  /** Milliseconds of a search by vector and words, and by the vector alone. */
  fused: Percentiles;
  byVector: Percentiles;
  /** Of the vector alone, against comparing all vectors in that scope. */
  recall: number;
}

interface Percentiles {
  p50: number;
  p95: number;
}

const { values } = parseArgs({
  options: {
    chunks: { type: 'string', default: '50000' },
    questions: { type: 'string', default: '200' },
  },
});
const corpus = makeCorpus(Number(values.chunks));
const questions = Number(values.questions);

print(heading());
for (const start of [startQdrant, startPgvector]) {
  const measured = await start(corpus.dimensions);
  try {
    print(await measure(measured));
  } finally {
    await measured.stop();
  }
}

function heading(): string {
  const [cpu] = cpus();
  return `# Retrieval at ${values.chunks} chunks

\`npm run measure:retrieval -- --chunks ${values.chunks} --questions ${values.questions}\`: chunks of made-up words with vectors of
${corpus.dimensions} dimensions that fill 24, around 200 topics; ${Object.keys(TENANTS).length} tenants of ${BASES.length} bases each. Every search is one tenant's,
gives ${LIMIT} passages, and goes through Turnkeeper's port over a loopback socket, one at a time. *Fused* is a search by vector and
by words, as a turn makes it. *Recall* is how many of the ${LIMIT} nearest a search by the vector alone finds, against comparing all
vectors of that scope.

${cpus().length} × ${cpu?.model ?? 'unknown'}, Node ${process.versions.node}, load ${loadavg()
    .map((load) => load.toFixed(1))
    .join(' ')} at the start.
`;
}

async function measure(measured: MeasuredIndex): Promise<string> {
  const { name, index } = measured;
  await index.prepare();
  console.error(`${name}: adding ${values.chunks} chunks`);
  const adding = await seconds(() => addAll(index, corpus));
  const building = await seconds(() => measured.finish());
  const rows: Figures[] = [];
  for (const [scope, where] of Object.entries(SCOPES)) {
    console.error(`${name}: ${scope}`);
    rows.push(await ask(index, scope, where));
  }
  return `## ${name}

Added in ${adding.toFixed(0)} s, in batches of 32${building < 0.5 ? '' : `; then indexed in ${building.toFixed(0)} s`}. Used: ${await measured.evidence()}.

| filter | chunks in it | fused p50 | fused p95 | vector p50 | vector p95 | recall@${LIMIT} |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
${rows.map(toRow).join('\n')}
`;
}

async function addAll(index: VectorIndex, { documents }: Corpus): Promise<void> {
  for (const { document, chunks, vectors } of documents) {
    await index.upsert(document, chunks, vectors);
  }
}

async function ask(index: VectorIndex, name: string, scope: Scope): Promise<Figures> {
  const fused: number[] = [];
  const byVector: number[] = [];
  let found = 0;
  for (let n = -WARM_UP; n < questions; n += 1) {
    const { text, vector } = corpus.question();
    const query = { ...scope, vector, limit: LIMIT };
    const fusedMs = 1_000 * (await seconds(() => index.search({ ...query, text })));
    const before = performance.now();
    const passages = await index.search({ ...query, text: '' });
    if (n < 0) continue;
    fused.push(fusedMs);
    byVector.push(performance.now() - before);
    const nearest = new Set(corpus.nearest(vector, scope, LIMIT));
    found += passages.filter(({ chunkId }) => nearest.has(chunkId)).length;
  }
  return {
    scope: name,
    chunks: corpus.count(scope),
    fused: percentiles(fused),
    byVector: percentiles(byVector),
    recall: found / (questions * LIMIT),
  };
}

function toRow({ scope, chunks, fused, byVector, recall }: Figures): string {
  const times = [fused.p50, fused.p95, byVector.p50, byVector.p95].map(
    (ms) => `${ms.toFixed(1)} ms`,
  );
  return `| ${[scope, chunks, ...times, recall.toFixed(3)].join(' | ')} |`;
}

function percentiles(times: number[]): Percentiles {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.floor(part * sorted.length)] ?? 0;
  return { p50: at(0.5), p95: at(0.95) };
}

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await work();
  return (performance.now() - before) / 1_000;
}

function print(text: string): void {
  console.log(text);
}
