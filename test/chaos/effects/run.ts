import { setTimeout as delay } from 'node:timers/promises';
import { sumOf } from '../support/sum.ts';
import { countOf, type Counts, type Entry } from './counters.ts';
import type { Fault } from './faults.ts';
import { scriptOf, SUMMARIES } from './script.ts';
import { setUp } from './setup.ts';
import type { Stage } from './stage.ts';
import { effectOf, TOOLS } from './tools.ts';
import { runTurn, type Point, type Struck } from './turn.ts';
import { outcomeOf, problemsOf } from './verdict.ts';

export interface Outcome {
  struck: Struck[];
  entries: Entry[];
}

const STAGGER_MS = 50;

/** Runs the plan, one fault after the other; begins none once the time is over. */
export async function runPlan(
  stage: Stage,
  faults: Fault[],
  { time, onStruck }: { time: AbortSignal; onStruck: (struck: Struck, done: number) => void },
): Promise<Outcome> {
  const assistantId = await setUp(stage.url);
  const struck: Struck[] = [];
  for (const [index, fault] of faults.entries()) {
    if (time.aborted) break;
    await stage.script([SUMMARIES, ...fault.turns.flatMap(scriptOf)]);
    const each = await strikeTurns(stage, assistantId, fault);
    struck.push(each);
    onStruck(each, index + 1);
  }
  return { struck, entries: await stage.entries() };
}

async function strikeTurns(stage: Stage, assistantId: string, fault: Fault): Promise<Struck> {
  const running = fault.turns.map(async (turn, index) => {
    await delay(index * STAGGER_MS);
    return runTurn(stage, assistantId, turn);
  });
  const ends = Promise.all(running);
  // One that cannot be started is told at once.
  await Promise.race([stage.allHeld(fault.turns.length), ends]);
  const struckAt = await stage.strike(fault);
  return { fault, struckAt, points: await ends };
}

/** The line that the run ends with. */
export interface Summary {
  points: number;
  kills: number;
  lost: number;
  stuck: number;
  /** At the counter that honours keys, as all that follows. */
  effects: number;
  doubled: number;
  /** Calls of which nobody knows whether they took effect, and whose turns say so. */
  unknown: number;
  compensations: number;
  doubleCompensations: number;
}

export function summarize({ struck, entries }: Outcome): Summary {
  const points = struck.flatMap((each) => each.points);
  const runs = countsOf(points, 'run', entries);
  const undoings = countsOf(points, 'undo', entries);
  return {
    points: points.length,
    kills: struck.filter(({ fault }) => fault.way === 'kill').length,
    lost: points.filter(({ status, fails }) => status !== (fails ? 'failed' : 'completed')).length,
    stuck: points.filter(({ free, ended }) => !free || !ended).length,
    effects: sumOf(runs, ({ honouring }) => honouring),
    doubled: sumOf(runs, doublesOf),
    unknown: sumOf(points, unknownOf),
    compensations: sumOf(undoings, ({ honouring }) => honouring),
    doubleCompensations: sumOf(undoings, doublesOf),
  };
}

/** For each call of each turn. */
export function countsOf(
  points: Point[],
  kind: Entry['kind'],
  entries: Entry[],
  tools: readonly (typeof TOOLS)[number][] = TOOLS,
): Counts[] {
  return points.flatMap(({ id }) =>
    tools.map((tool) => countOf(entries, kind, effectOf(id, tool))),
  );
}

export function doublesOf({ honouring }: Counts): number {
  return Math.max(0, honouring - 1);
}

export function unknownOf(point: Point): number {
  return TOOLS.filter((tool) => outcomeOf(point, tool) === 'unknown').length;
}

/** What a run must not come to; empty when all promises were kept. */
export function broken({ struck, entries }: Outcome, summary: Summary): string[] {
  const { lost, stuck, doubled, doubleCompensations } = summary;
  const none = Object.entries({ lost, stuck, doubled, doubleCompensations });
  const problems = none.flatMap(([name, count]) => (count > 0 ? [`${name}: ${count}`] : []));
  for (const each of struck)
    problems.push(...each.points.flatMap((point) => problemsOf(point, entries, each)));
  return problems;
}
