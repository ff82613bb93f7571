import { setTimeout as delay } from 'node:timers/promises';
import type { Create } from './creates.ts';
import type { Fault, Plan } from './faults.ts';
import { scriptOf } from './script.ts';
import type { ReadEvent } from './reader.ts';
import type { Stage } from './stage.ts';
import { ask } from '../support/ask.ts';
import { sumOf } from '../support/sum.ts';
import { runTurn, type Generation, type Point, type Service } from './turn.ts';
import { orphansOf, problemsOf, tallyOf } from './verdict.ts';

/** What one fault did to the turns that were under way. */
export interface Struck {
  fault: Fault;
  points: Point[];
}

export interface Outcome {
  struck: Struck[];
  creates: Create[];
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
  const service = { url: stage.url, assistants: await makeAssistants(stage) };
  const struck: Struck[] = [];
  for (const [index, fault] of faults.entries()) {
    const turns = turnsOf(index, turnsPerFault);
    await stage.script(turns.flatMap(({ id }) => scriptOf(id)));
    const points = await strikeTurns(stage, service, fault, turns);
    struck.push({ fault, points });
    onStruck({ fault, points }, index + 1);
  }
  return { struck, creates: await stage.creates() };
}

async function makeAssistants({ url }: Stage): Promise<Service['assistants']> {
  const signal = AbortSignal.timeout(SETUP_LIMIT_MS);
  const definition = { name: 'Chaos', model: 'test-model', tools: ['look_up'] };
  const make = async (generation: Generation) => {
    const made = await ask(`${url}/api/assistants`, generation, signal, {
      ...definition,
      generation,
    });
    return String(made['id']);
  };
  return { background: await make('background'), foreground: await make('foreground') };
}

type Turn = Pick<Point, 'id' | 'generation'>;

/** One of them is generated in the foreground, but never the first, whose events say when to strike. */
function turnsOf(fault: number, count: number): Turn[] {
  const foreground = 1 + (fault % (count - 1));
  return Array.from({ length: count }, (_, index) => ({
    id: `f${fault}t${index}x`,
    generation: index === foreground ? 'foreground' : 'background',
  }));
}

async function strikeTurns(
  stage: Stage,
  service: Service,
  fault: Fault,
  turns: Turn[],
): Promise<Point[]> {
  let strike: Promise<void> | undefined;
  const onEvent = ({ number, event }: ReadEvent) => {
    if (number >= fault.atEvent || event.type === LAST_EVENT) strike ??= stage.strike(fault);
  };
  const running = turns.map(async (turn, index) => {
    await delay(index * STAGGER_MS);
    return runTurn(service, turn, index === 0 ? onEvent : () => undefined);
  });
  const points = await Promise.all(running);
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
  const tallies = points.map((point) => ({ point, tally: tallyOf(point, creates) }));
  const lost = points.filter(({ status, reading, exact }) => {
    return status !== 'completed' || !reading.ended || !exact;
  });
  return {
    points: points.length,
    kills: struck.filter(({ fault }) => fault.way === 'kill').length,
    lost: lost.length,
    stuck: points.filter(({ free }) => !free).length,
    duplicated: sumOf(points, ({ reading }) => reading.duplicated),
    missing: sumOf(points, ({ reading }) => reading.missing),
    creates: creates.length,
    expectedCreates: sumOf(tallies, ({ tally }) => tally.expected),
    orphans: sumOf(tallies, ({ point, tally }) => orphansOf(point, tally)),
  };
}

/** What a run must not come to; empty when all promises were kept. */
export function broken({ struck, creates: all }: Outcome, summary: Summary): string[] {
  const { lost, stuck, duplicated, missing, creates, expectedCreates, orphans } = summary;
  const none = Object.entries({ lost, stuck, duplicated, missing });
  const problems = none.flatMap(([name, count]) => (count > 0 ? [`${name}: ${count}`] : []));
  if (creates !== expectedCreates + orphans)
    problems.push(`${creates} creates, expected ${expectedCreates} and ${orphans} orphans`);
  for (const { fault, points } of struck)
    problems.push(...points.flatMap((point) => problemsOf(point, tallyOf(point, all), fault)));
  return problems;
}
