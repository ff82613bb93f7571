import { expect } from 'vitest';
import type { CreateAssistant } from '../../src/client/assistants.ts';
import type { TurnResult } from '../../src/client/turn-result.ts';
import type { ModelCall, Step, Turn, TurnEvent } from '../../src/contracts/store.ts';
import type { JournalEntry } from '../../src/dev/offline-model/journal.ts';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import type { Effect } from './effects.ts';
import type { Point } from './points.ts';
import { countOf, readEvents, shownTexts } from './reading.ts';
import {
  closedAs,
  createsOf,
  effectsOf,
  expectNextTurn,
  newTalk,
  REAL_USAGE,
  resultOf,
  say,
  type Talk,
} from './talk.ts';
import type { TestWorker } from './test-worker.ts';
import type { World } from './world.ts';

/** A turn whose worker is killed at a point, and what must have come of it. */
export interface KillRow {
  /** The test's name. */
  name: string;
  point: Point;
  assistant?: Partial<CreateAssistant>;
  /** One step for every request that the model may get for this turn. */
  script: ScriptStep[];
  answer: string;
  /** What became of these requests. */
  calls: ModelCall['state'][];
  /** Workers to kill there, 1 by default. */
  kills?: number;
  /** Waited for at the point, before the worker is killed. */
  ready?: (world: World, turn: Turn) => Promise<void>;
  /** Rewinds in the stream. */
  rewinds?: number;
  check?(turn: SurvivedTurn): void;
}

export interface SurvivedTurn {
  turn: Turn;
  result: TurnResult;
  /** As a reader got them who was there all the time. */
  events: TurnEvent[];
  steps: Step[];
  creates: JournalEntry[];
  effects: Effect[];
}

/**
 * Kills workers, one after another: the one that takes over a turn is the one that is killed in the next. There is one
 * worker at a time, so that the turn is surely with the one that dies.
 */
export function killer(open: () => World): (row: KillRow) => Promise<void> {
  let worker: TestWorker | undefined;
  return async (row) => {
    const world = open();
    let victim = worker ?? (await world.startWorker());
    worker = undefined;
    const talk = await newTalk(world, row.assistant);
    let rescuer: TestWorker | undefined;
    try {
      const { turn, reading } = await runInto(world, victim, talk, row);
      for (let kills = 1; kills < (row.kills ?? 1); kills++) {
        victim.kill('SIGKILL');
        victim = await world.startWorker({ hangAt: row.point });
        await victim.reached;
        await row.ready?.(world, turn);
      }
      victim.kill('SIGKILL');
      rescuer = await world.startWorker();
      const result = await resultOf(world, turn);
      expectSurvived(row, await gather(world, result, await reading));
      expect(await closedAs(world, turn)).toBe('COMPLETED');
      await expectNextTurn(world, talk);
      worker = rescuer;
      rescuer = undefined;
    } finally {
      // Whatever failed, the next row begins with a fresh worker.
      victim.kill('SIGKILL');
      rescuer?.kill('SIGKILL');
    }
  };
}

/** Starts a turn and lets it run into the point where its worker hangs. */
async function runInto(
  world: World,
  victim: TestWorker,
  talk: Talk,
  { script, point, ready }: KillRow,
): Promise<{ turn: Turn; reading: Promise<TurnEvent[]> }> {
  await world.offline.script(script);
  const reached = victim.hangAt(point);
  const turn = await say(world, talk, 'What do the beavers build?');
  const reading = readEvents(world.turnkeeper, turn.id);
  await reached;
  await ready?.(world, turn);
  return { turn, reading };
}

async function gather(
  world: World,
  result: TurnResult,
  events: TurnEvent[],
): Promise<SurvivedTurn> {
  const { turn } = result;
  expect(await readEvents(world.turnkeeper, turn.id), 'a later reader').toEqual(events);
  return {
    turn,
    result,
    events,
    steps: await world.turnkeeper.turns.steps(turn.id),
    creates: await createsOf(world),
    effects: effectsOf(world, turn),
  };
}

function expectSurvived(row: KillRow, survived: SurvivedTurn): void {
  const { result, events, steps, creates } = survived;
  expect(result).toMatchObject({ status: 'completed', reason: null, answer: row.answer });
  expect(shownTexts(events)).toEqual([row.answer]);
  expect(events.map(({ number }) => number)).toEqual(events.map((_, index) => index + 1));
  expect(events.at(-1)?.event.type).toBe('turn.done');
  expect(countOf(events, 'turn.done')).toBe(1);
  if (row.rewinds !== undefined) expect(countOf(events, 'turn.rewind')).toBe(row.rewinds);
  expect(steps.filter(({ status }) => status === 'open')).toEqual([]);
  expect(creates).toHaveLength(row.script.length);
  expectCounted(row.calls, result);
  row.check?.(survived);
}

/** Calls that ended well cost what the provider says, others what can be estimated. */
function expectCounted(states: ModelCall['state'][], { usage }: TurnResult): void {
  expect(usage.calls.map(({ state }) => state)).toEqual(states);
  for (const call of usage.calls) {
    expect(call.estimated).toBe(call.state !== 'completed');
    expect(call.inputTokens).toBeGreaterThan(0);
    if (call.state === 'completed') expect(call).toMatchObject(REAL_USAGE);
  }
  const sum = usage.calls.reduce((total, call) => total + call.inputTokens + call.outputTokens, 0);
  expect(usage.totalTokens).toBe(sum);
}
