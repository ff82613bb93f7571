import { setTimeout as delay } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import type { TurnResult } from '../../src/client/turn-result.ts';
import type { Step, Turn, TurnEvent } from '../../src/contracts/store.ts';
import type { JournalEntry } from '../../src/dev/offline-model/journal.ts';
import { hasPart } from '../support/require-part.ts';
import { countOf, readEvents, shownTexts } from '../support/reading.ts';
import {
  answer,
  callOf,
  closedAs,
  effectsOf,
  expectNextTurn,
  heldAnswer,
  newTalk,
  REAL_USAGE,
  requestsOf,
  resultOf,
  say,
  untilShown,
  type Talk,
} from '../support/talk.ts';
import { useCutOffWorld } from '../support/use-cut-off-world.ts';

const OUTAGE_MS = 10_000;
const ANSWER = 'It was dark for a while, and then the words came back.';
/** One every 200 ms. */
const BREAKS = 25;
const TIMEOUT_MS = 180_000;

const { world, proxy } = useCutOffWorld();

/** A turn that is under way when the database goes away. */
interface Hit {
  talk: Talk;
  turn: Turn;
  reading: Promise<TurnEvent[]>;
}

async function begin(word: string, tools: string[] = []): Promise<Hit> {
  const talk = await newTalk(world(), { tools });
  const turn = await say(world(), talk, `Please ${word}.`);
  return { talk, turn, reading: readEvents(world().turnkeeper, turn.id) };
}

/** The same turn after its end. */
interface Passed {
  talk: Talk;
  result: TurnResult;
  events: TurnEvent[];
  steps: Step[];
  requests: JournalEntry[];
}

async function end({ talk, turn, reading }: Hit, word: string): Promise<Passed> {
  const result = await resultOf(world(), turn);
  const steps = await world().turnkeeper.turns.steps(turn.id);
  return { talk, result, events: await reading, steps, requests: await requestsOf(world(), word) };
}

describe('a database that is away for ten seconds in mid-turn', { timeout: TIMEOUT_MS }, () => {
  let streaming: Passed;
  let calling: Passed;
  let closing: Passed;
  let refused: unknown;

  beforeAll(async () => {
    if (!hasPart('temporal') || !hasPart('postgres')) return;
    await world().offline.script([
      { ...heldAnswer(ANSWER), when: { inputContains: 'stream' } },
      { ...callOf('send'), when: { inputContains: 'call' } },
      { ...answer(ANSWER), when: { inputContains: 'call' } },
      { ...answer(ANSWER), when: { inputContains: 'close' } },
    ]);
    const worker = await world().startWorker();
    const inTool = worker.hangAt('runTool: during');
    const call = await begin('call', ['send']);
    await inTool;
    const stream = await begin('stream');
    await untilShown(world(), stream.turn);
    const atEnd = worker.hangAt('closeTurn: before');
    const close = await begin('close');
    await atEnd;

    const outage = proxy().outage(OUTAGE_MS);
    worker.letGo();
    await world().offline.release();
    refused = await say(world(), close.talk).catch((error: unknown) => error);
    await outage;
    streaming = await end(stream, 'stream');
    calling = await end(call, 'call');
    closing = await end(close, 'close');
  }, TIMEOUT_MS);

  async function expectWhole({ result, events, talk }: Passed): Promise<void> {
    expect(result).toMatchObject({ status: 'completed', answer: ANSWER });
    expect(shownTexts(events)).toEqual([ANSWER]);
    expect(countOf(events, 'turn.rewind')).toBe(0);
    expect(countOf(events, 'turn.done')).toBe(1);
    expect(result.usage.calls.filter(({ state }) => state !== 'completed')).toEqual([]);
    expect(await closedAs(world(), result.turn)).toBe('COMPLETED');
    await expectNextTurn(world(), talk);
  }

  it('costs a model call in mid-stream nothing: one request, no rewind, a whole answer', async () => {
    expect(streaming.requests).toHaveLength(1);
    expect(streaming.steps).toMatchObject([{ key: 'respond:1', attempts: 1 }]);
    await expectWhole(streaming);
  });

  it('leaves a tool that ran meanwhile its effect, and its output is stored afterwards', async () => {
    expect(effectsOf(world(), calling.result.turn)).toHaveLength(1);
    expect(calling.result.output[1]).toMatchObject({ output: '{"done":true}' });
    expect(calling.steps[1]).toMatchObject({ attempts: 1, tool: { outcome: 'succeeded' } });
    expect(calling.requests).toHaveLength(2);
    await expectWhole(calling);
  });

  it('does not keep a turn from being sealed afterwards', async () => {
    expect(closing.requests).toHaveLength(1);
    await expectWhole(closing);
  });

  it('is told to a caller who wants to start a turn', () => {
    expect(refused).toMatchObject({ code: 'database_unreachable' });
  });
});

describe('connections to the database that break again and again', { timeout: TIMEOUT_MS }, () => {
  it('show no token twice and lose none, though answers of the database are lost', async () => {
    const text = 'Beavers build dams and lodges out of branches and mud. '.repeat(15);
    await world().offline.script([{ kind: 'answer', text, delayMs: 40, usage: REAL_USAGE }]);
    await world().startWorker();
    const hit = await begin('stream');
    await untilShown(world(), hit.turn);
    for (let breaks = 0; breaks < BREAKS; breaks++) {
      await delay(150);
      proxy().loseAnswers();
      await delay(50);
      proxy().cut();
      proxy().restore();
    }
    const result = await resultOf(world(), hit.turn);
    expect(result).toMatchObject({ status: 'completed', answer: text });
    const events = await hit.reading;
    expect(events.map(({ number }) => number)).toEqual(events.map((_, index) => index + 1));
    expect(shownTexts(events)).toEqual([text]);
    expect(await closedAs(world(), hit.turn)).toBe('COMPLETED');
    await expectNextTurn(world(), hit.talk);
  });
});
