import { cpus } from 'node:os';
import type { Outcome, Struck, Summary } from './run.ts';

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
  const rows = [...kinds].sort().map(([kind, struck]) => rowOf(kind, struck));
  return `# Streams under faults

\`npm run test:chaos -- --full --seed ${seed}\`: ${summary.points} points, ${Math.round(seconds)} s on ${cpus().length} processors, Node ${process.version}.
A gateway, two workers, the model and PostgreSQL run as processes of their own. Each turn has two tool rounds and an answer of 200
deltas, generated in the background. A fault strikes while five turns are under way, each somewhere else; a point is one turn and
one fault. Readers come back with \`Last-Event-ID\`. A turn counts as kept when its reader ends with exactly the reference text.
An orphan is a create that got to the model while its id did not get into the store.

| fault | faults | points | kept | duplicated | missing | rewinds | reconnections | longest gap, median and worst |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${rows.join('\n')}

\`\`\`json
${JSON.stringify(summary)}
\`\`\`
`;
}

function rowOf(kind: string, struck: Struck[]): string {
  const points = struck.flatMap((each) => each.points);
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  const gaps = points.map(({ reading }) => reading.gapMs).sort((a, b) => a - b);
  const gap = (ms: number | undefined) => `${((ms ?? 0) / 1_000).toFixed(1)} s`;
  const cells = [
    kind,
    struck.length,
    points.length,
    points.filter(({ status, exact }) => status === 'completed' && exact).length,
    sum(points.map(({ reading }) => reading.duplicated)),
    sum(points.map(({ reading }) => reading.missing)),
    sum(points.map(({ rewinds }) => rewinds)),
    sum(points.map(({ reading }) => reading.connections - 1)),
    `${gap(gaps[gaps.length >> 1])}, ${gap(gaps.at(-1))}`,
  ];
  return `| ${cells.join(' | ')} |`;
}
