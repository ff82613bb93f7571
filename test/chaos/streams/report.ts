import { cpus } from 'node:os';
import type { Create } from './creates.ts';
import { EVENTS } from './faults.ts';
import { PAUSE_MS } from '../support/parts.ts';
import { sumOf } from '../support/sum.ts';
import type { Outcome, Struck, Summary } from './run.ts';
import { CREATES_PER_TURN } from './script.ts';
import { MODEL_AWAY_MS, MODEL_IDLE_MS } from './stage.ts';
import { orphansOf, tallyOf } from './verdict.ts';

const GENERATIONS = ['background', 'foreground'];

/** The matrix, in Markdown: a row for each target and way. */
export function reportOf(
  outcome: Outcome,
  summary: Summary,
  { seed, seconds }: { seed: number; seconds: number },
): string {
  const kinds = new Map<string, Struck[]>();
  for (const struck of outcome.struck) {
    const kind = `${struck.fault.way} the ${struck.fault.target}`;
    kinds.set(kind, [...(kinds.get(kind) ?? []), struck]);
  }
  const rows = [...kinds].sort().map(([kind, struck]) => rowOf(kind, struck, outcome.creates));
  return `# Streams under faults

\`npm run test:chaos -- --full --seed ${seed}\`: ${summary.points} points, ${Math.round(seconds)} s on ${cpus().length} processors, Node ${process.version}.
A gateway, two workers, the model and PostgreSQL run as processes of their own. Each turn has two tool rounds and an answer of 200
deltas. A fault strikes while five turns are under way, each somewhere else, and one of them generated in the foreground, the others
in the background; a point is one turn and one fault. What comes within 50 ms is one event, deltas above all: that makes about
${EVENTS} of them a turn, and a kill strikes at each number from 1 to ${EVENTS} (or at the end of the answer, where that comes first), of
gateway, worker, model and database in turn. Readers come back with \`Last-Event-ID\`. A turn counts as kept when its reader ends with
exactly the reference text. A response is made again when the model has lost it: in the background only a model that was killed
has. An orphan is a create that got to the model while its id did not get into the store. The run fails when a rewind, another
create or an orphan comes of a fault that does not explain it, or two of them in one step.

A model that was killed is back after ${MODEL_AWAY_MS / 1_000} s: a turn fails when the model refuses four calls of a step in a row, within about
three. A pause is ${PAUSE_MS / 1_000} s. It outlasts a worker's heartbeats and connecting to the database (5 s), a transaction in which nothing is
asked (10 s), and a model's silence, for which ${MODEL_IDLE_MS / 1_000} s are set here instead of 120. It does not outlast two such silences in a row, after
which a background response is given up and made again; what the gateway gives a request's headers (15 s); a query of the database
(30 s); and the minute for which workers keep batches that they cannot write, and the gateway a reader that does not read.

| fault | faults | points | kept | duplicated | missing | made again, background | made again, foreground | rewinds, background | rewinds, foreground | orphans | reconnections | longest gap, median and worst |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${rows.join('\n')}

\`\`\`json
${JSON.stringify(summary)}
\`\`\`
`;
}

function rowOf(kind: string, struck: Struck[], creates: Create[]): string {
  const points = struck.flatMap((each) => each.points);
  const tallied = points.map((point) => ({ ...point, tally: tallyOf(point, creates) }));
  const both = (amount: (point: (typeof tallied)[number]) => number) =>
    GENERATIONS.map((each) =>
      sumOf(
        tallied.filter(({ generation }) => generation === each),
        amount,
      ),
    );
  const gaps = points.map(({ reading }) => reading.gapMs).sort((a, b) => a - b);
  const gap = (ms: number | undefined) => `${((ms ?? 0) / 1_000).toFixed(1)} s`;
  const cells = [
    kind,
    struck.length,
    points.length,
    points.filter(({ status, exact }) => status === 'completed' && exact).length,
    sumOf(points, ({ reading }) => reading.duplicated),
    sumOf(points, ({ reading }) => reading.missing),
    ...both(({ tally }) => tally.expected - CREATES_PER_TURN),
    ...both(({ rewinds }) => rewinds),
    sumOf(tallied, (point) => orphansOf(point, point.tally)),
    sumOf(points, ({ reading }) => reading.connections - 1),
    `${gap(gaps[gaps.length >> 1])}, ${gap(gaps.at(-1))}`,
  ];
  return `| ${cells.join(' | ')} |`;
}
