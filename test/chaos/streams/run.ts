import { setTimeout as delay } from 'node:timers/promises';
import type { Fault, Plan } from './faults.ts';
import { CREATES_PER_TURN, scriptOf } from './script.ts';
import type { ReadEvent } from './reader.ts';
import type { Stage } from './stage.ts';
import { ask, runTurn, type Point, type Service } from './turn.ts';

/** What one fault did to the turns that were under way. */
export interface Struck {
  fault: Fault;
  points: Point[];
}

export interface Outcome {
  struck: Struck[];
  creates: number;
}

const SETUP_LIMIT_MS = 30_000;
/** Between the starts of turns that one fault hits, so that it hits each elsewhere. */
const STAGGER_MS = 150;
const LAST_EVENT = 'response.output_text.done';

/** Runs the plan, one fault after the other. */
export async function runPlan(
  stage: Stage,
  { faults, turnsPerFault }: Plan,
  onStruck: (struck: Struck, done: number) => void,
): Promise<Outcome> {
  const signal = AbortSignal.timeout(SETUP_LIMIT_MS);
  const definition = { name: 'Chaos', model: 'test-model', tools: ['look_up'] };
  const assistant = await ask(`${stage.url}/api/assistants`, 'assistant', signal, {
    ...definition,
    generation: 'background',
  });
  const service = { url: stage.url, assistantId: String(assistant['id']) };
  const struck: Struck[] = [];
  for (const [index, fault] of faults.entries()) {
    const ids = Array.from({ length: turnsPerFault }, (_, turn) => `f${index}t${turn}x`);
    await stage.script(ids.flatMap(scriptOf));
    const points = await strikeTurns(stage, service, fault, ids);
    struck.push({ fault, points });
    onStruck({ fault, points }, index + 1);
  }
  return { struck, creates: await stage.creates() };
}

async function strikeTurns(
  stage: Stage,
  service: Service,
  fault: Fault,
  ids: string[],
): Promise<Point[]> {
  let strike: Promise<void> | undefined;
  const onEvent = ({ number, event }: ReadEvent) => {
    if (number >= fault.atEvent || event.type === LAST_EVENT) strike ??= stage.strike(fault);
  };
  const turns = ids.map(async (id, index) => {
    await delay(index * STAGGER_MS);
    return runTurn(service, id, index === 0 ? onEvent : undefined);
  });
  const points = await Promise.all(turns);
  if (!strike) throw new Error(`The first turn has not answered.`);
  await strike;
  return points;
}

/** The line that the run ends with. */
export interface Summary {
  points: number;
  kills: number;
  lost: number;
  stuck: number;
  duplicated: number;
  missing: number;
  creates: number;
  expectedCreates: number;
  /** Creates that got to the model, and whose id did not get into the store. */
  orphans: number;
}

export function summarize({ struck, creates }: Outcome): Summary {
  const points = struck.flatMap((each) => each.points);
  const lost = points.filter(({ status, reading, exact }) => {
    return status !== 'completed' || !reading.ended || !exact;
  });
  // A killed model takes its responses with it: each is asked for again, and counted.
  const again = sumOf(points, ({ lostResponses }) => lostResponses);
  const expectedCreates = CREATES_PER_TURN * points.length + again;
  return {
    points: points.length,
    kills: struck.filter(({ fault }) => fault.way === 'kill').length,
    lost: lost.length,
    stuck: points.filter(({ free }) => !free).length,
    duplicated: sumOf(points, ({ reading }) => reading.duplicated),
    missing: sumOf(points, ({ reading }) => reading.missing),
    creates,
    expectedCreates,
    orphans: Math.max(0, creates - expectedCreates),
  };
}

/** What a run must not come to; empty when all promises were kept. */
export function broken({ struck }: Outcome, summary: Summary): string[] {
  const { lost, stuck, duplicated, missing, orphans } = summary;
  const none = Object.entries({ lost, stuck, duplicated, missing });
  const problems = none.flatMap(([name, count]) => (count > 0 ? [`${name}: ${count}`] : []));
  const known = sumOf(
    struck.flatMap(({ points }) => points),
    ({ nameless }) => nameless,
  );
  if (orphans > known) problems.push(`orphans: ${orphans}, of which the store knows ${known}`);
  return problems;
}

function sumOf(points: Point[], value: (point: Point) => number): number {
  return points.reduce((total, point) => total + value(point), 0);
}
