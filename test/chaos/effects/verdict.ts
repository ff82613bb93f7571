import type { Step } from '../../../src/contracts/store.ts';
import type { ToolOutcome } from '../../../src/contracts/turn.ts';
import { countOf, type Entry } from './counters.ts';
import { nameOf } from './faults.ts';
import { effectOf, TOOLS, type Tool } from './tools.ts';
import type { Point, Struck } from './turn.ts';

/** What a turn says of a call; null when it says nothing. */
export function outcomeOf(point: Point, tool: Tool): ToolOutcome | null {
  return stepOf(point, tool)?.tool?.outcome ?? null;
}

function stepOf({ steps }: Point, { name }: Tool): Step | undefined {
  return steps.find(({ tool, kind }) => kind === 'tool' && tool?.name === name);
}

/** What this fault must not have come to; empty when the turn's promises were kept. */
export function problemsOf(point: Point, entries: Entry[], struck: Struck): string[] {
  const what = `${point.id}, ${nameOf(struck.fault)}, ${point.boundary}`;
  const { status, fails, ended, free } = point;
  const expected = fails ? 'failed' : 'completed';
  const ofTurn: [boolean, string][] = [
    [status !== expected, `it is ${status}, not ${expected}`],
    [!ended, 'it has not come to its end'],
    [!free, 'its conversation is held'],
    [point.steps.some(({ status }) => status === 'open'), 'a step of it is open'],
  ];
  const ofTools = TOOLS.flatMap((tool) =>
    mistakesOf(tool, point, entries, struck).map((mistake) => `${tool.name} ${mistake}`),
  );
  const found = ofTurn.flatMap(([wrong, problem]) => (wrong ? [problem] : []));
  return [...found, ...ofTools].map((problem) => `${what}: ${problem}`);
}

function mistakesOf(tool: Tool, point: Point, entries: Entry[], struck: Struck): string[] {
  const outcome = outcomeOf(point, tool);
  const effect = effectOf(point.id, tool);
  const run = countOf(entries, 'run', effect);
  const undo = countOf(entries, 'undo', effect);
  const undoings = point.fails && tool.undone && outcome === 'succeeded' ? 1 : 0;
  const atMostOnce = tool.policy === 'at-most-once';
  const found: [boolean, string][] = [
    [outcome !== 'succeeded' && !(atMostOnce && outcome === 'unknown'), `is ${String(outcome)}`],
    [
      outcome === 'unknown' && !mayBeUnknown(tool, point, struck),
      'is unknown, which this fault does not explain',
    ],
    [outcome === 'succeeded' && run.honouring === 0, 'has no effect'],
    [run.honouring > 1, `has ${run.honouring} effects`],
    [atMostOnce && run.ignoring > 1, `was started ${run.ignoring} times`],
    [undo.honouring !== undoings, `was undone ${undo.honouring} times, expected ${undoings}`],
  ];
  return found.flatMap(([wrong, mistake]) => (wrong ? [mistake] : []));
}

/** Whoever ran the call is away, or cannot say how it went. One that was not under way then is known, whatever happened. */
function mayBeUnknown(tool: Tool, point: Point, { fault, struckAt }: Struck): boolean {
  const step = stepOf(point, tool);
  if (!step || fault.target === 'gateway') return false;
  const { startedAt, settledAt } = step;
  return new Date(startedAt) <= struckAt && (settledAt === null || new Date(settledAt) >= struckAt);
}
