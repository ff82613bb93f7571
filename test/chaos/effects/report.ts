import { cpus } from 'node:os';
import { PAUSE_MS } from '../support/parts.ts';
import { sumOf } from '../support/sum.ts';
import type { Entry } from './counters.ts';
import { BOUNDARIES, nameOf } from './faults.ts';
import { countsOf, doublesOf, unknownOf, type Outcome, type Summary } from './run.ts';
import { TOOLS, type Tool } from './tools.ts';
import { outcomeOf } from './verdict.ts';
import type { Point, Struck } from './turn.ts';

/** The matrix, in Markdown: a row for each target and way, and one for each tool. */
export function reportOf(
  outcome: Outcome,
  summary: Summary,
  { seed, seconds }: { seed: number; seconds: number },
): string {
  const { struck, entries } = outcome;
  const kinds = new Map<string, Struck[]>();
  for (const each of struck) {
    const kind = nameOf(each.fault);
    kinds.set(kind, [...(kinds.get(kind) ?? []), each]);
  }
  const faults = [...kinds].sort().map(([kind, each]) => faultRow(kind, each, entries));
  const points = struck.flatMap((each) => each.points);
  const tools = TOOLS.map((tool) => toolRow(tool, points, entries));
  return `# Effects under faults

\`npm run test:effects -- --full --seed ${seed}\`: ${summary.points} points, ${Math.round(seconds)} s on ${cpus().length} processors, Node ${process.version}.
A gateway, a worker, PostgreSQL and Temporal's development server, which keeps its data in a file, run as processes of their own.
Each turn looks for passages and calls five tools at once, one of them after an approval; then the model answers, or refuses, so that
the turn fails and is undone; and a summary of what was said before is due. A turn is made to stay at each of the ${BOUNDARIES.length} boundaries of its activities; then the fault strikes, and all go on; a point is
one turn and one fault. A pause is ${PAUSE_MS / 1_000} s; a worker that is paused finds on waking up that another one has gone on with its turns.
Killing the database breaks every connection to it; a cut breaks them and nothing else.

The effects are requests to a service that is a process of its own. One of its counters honours idempotency keys, and the promises
are about that one: the run fails when it counts an effect or an undoing twice, when what may start at most once is started twice,
when an outcome is unknown though its call was not under way when the fault struck, or when a turn is lost or its conversation stays held. The other counter
ignores keys: it shows how often a service would have been asked that does not know them, and nothing is promised of it.

| fault | faults | points | as expected | effects | doubled | unknown | compensations | doubled | requests beyond the first, ignoring keys |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${faults.join('\n')}

| tool | calls | succeeded | unknown | effects | doubled | compensations expected | happened | doubled | requests beyond the first, ignoring keys |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${tools.join('\n')}

\`\`\`json
${JSON.stringify(summary)}
\`\`\`
`;
}

function faultRow(kind: string, struck: Struck[], entries: Entry[]): string {
  const points = struck.flatMap((each) => each.points);
  const runs = countsOf(points, 'run', entries);
  const undoings = countsOf(points, 'undo', entries);
  return row([
    kind,
    struck.length,
    points.length,
    points.filter(({ status, fails }) => status === (fails ? 'failed' : 'completed')).length,
    sumOf(runs, ({ honouring }) => honouring),
    sumOf(runs, doublesOf),
    sumOf(points, unknownOf),
    sumOf(undoings, ({ honouring }) => honouring),
    sumOf(undoings, doublesOf),
    sumOf([...runs, ...undoings], ({ ignoring }) => Math.max(0, ignoring - 1)),
  ]);
}

function toolRow(tool: Tool, points: Point[], entries: Entry[]): string {
  const runs = countsOf(points, 'run', entries, [tool]);
  const undoings = countsOf(points, 'undo', entries, [tool]);
  const succeeded = points.filter((point) => outcomeOf(point, tool) === 'succeeded');
  return row([
    `\`${tool.name}\`, ${tool.policy}${tool.approval ? ', approved' : ''}${tool.undone ? ', can be undone' : ''}`,
    points.length,
    succeeded.length,
    points.filter((point) => outcomeOf(point, tool) === 'unknown').length,
    sumOf(runs, ({ honouring }) => honouring),
    sumOf(runs, doublesOf),
    tool.undone ? succeeded.filter(({ fails }) => fails).length : 0,
    sumOf(undoings, ({ honouring }) => honouring),
    sumOf(undoings, doublesOf),
    sumOf([...runs, ...undoings], ({ ignoring }) => Math.max(0, ignoring - 1)),
  ]);
}

function row(cells: (string | number)[]): string {
  return `| ${cells.join(' | ')} |`;
}
