import { describe, expect, it } from 'vitest';
import type { Turn } from '../../src/contracts/store.ts';
import { countOf, readEvents, shownTexts } from '../support/reading.ts';
import {
  answer,
  callOf,
  createsOf,
  effectsOf,
  expectNextTurn,
  heldAnswer,
  newTalk,
  resultOf,
  say,
  untilShown,
} from '../support/talk.ts';
import { useWorkers } from '../support/use-workers.ts';
import { useWorld } from '../support/use-world.ts';

const LOST = 'Words that will be taken back.';
const ANSWER = 'Words of the worker that took over.';

const world = useWorld();
const workers = useWorkers(() => world().startWorker());

/** What the second attempts of a turn's activities were told about the first ones. */
async function lastFailures({ id }: Turn): Promise<(string | null | undefined)[]> {
  const { events } = await world().temporal.workflow.getHandle(id).fetchHistory();
  return (events ?? []).flatMap(({ activityTaskStartedEventAttributes: started }) =>
    started?.lastFailure ? [started.lastFailure.applicationFailureInfo?.type] : [],
  );
}

/** One request, whose answer readers have from the first word to the last, by two attempts. */
async function expectGoneOnWith(turn: Turn): Promise<void> {
  const { status, answer: said, usage } = await resultOf(world(), turn);
  expect([status, said]).toEqual(['completed', ANSWER]);
  const events = await readEvents(world().turnkeeper, turn.id);
  expect(shownTexts(events)).toEqual([ANSWER]);
  expect(countOf(events, 'turn.rewind')).toBe(0);
  expect(usage.calls.map(({ state }) => state)).toEqual(['completed']);
  expect(await createsOf(world())).toHaveLength(1);
  expect(await lastFailures(turn)).toEqual(['worker_shutdown']);
}

describe('a worker that gets SIGTERM', { timeout: 120_000 }, () => {
  it('in mid-stream hands the turn over at once and goes', async () => {
    const talk = await newTalk(world());
    await world().offline.script([heldAnswer(LOST), answer(ANSWER)]);
    const leaving = await workers.next();
    const turn = await say(world(), talk);
    const reading = readEvents(world().turnkeeper, turn.id);
    await untilShown(world(), turn);
    const successor = await workers.next();
    leaving.kill('SIGTERM');

    const { status, answer: said, usage } = await resultOf(world(), turn);
    expect([status, said]).toEqual(['completed', ANSWER]);
    const events = await reading;
    expect(shownTexts(events)).toEqual([ANSWER]);
    expect(countOf(events, 'turn.rewind')).toBe(1);
    expect(usage.calls.map(({ state }) => state)).toEqual(['abandoned', 'completed']);
    // Not a time-out: nobody had to wait until the worker was missed.
    expect(await lastFailures(turn)).toEqual(['worker_shutdown']);
    expect(await leaving.exited).toEqual({ code: 0, signal: null });
    await expectNextTurn(world(), talk);
    workers.keep(successor);
  });

  it('in mid-answer in the background hands the very response over: nothing is taken back', async () => {
    const talk = await newTalk(world(), { generation: 'background' });
    await world().offline.script([heldAnswer(ANSWER)]);
    const leaving = await workers.next();
    const turn = await say(world(), talk);
    await untilShown(world(), turn);
    const successor = await workers.next();
    leaving.kill('SIGTERM');
    await leaving.exited;
    await world().offline.release();

    await expectGoneOnWith(turn);
    workers.keep(successor);
  });

  it('before it knows the id of a response waits for it, lest that one is lost', async () => {
    const talk = await newTalk(world(), { generation: 'background' });
    await world().offline.script([heldAnswer(ANSWER)]);
    const leaving = await workers.next();
    const reached = leaving.hangAt('respond: after the create');
    const turn = await say(world(), talk);
    await reached;
    const successor = await workers.next();
    leaving.kill('SIGTERM');
    leaving.letGo();
    await leaving.exited;
    await world().offline.release();

    await expectGoneOnWith(turn);
    workers.keep(successor);
  });

  it('lets a tool finish that it has started', async () => {
    const talk = await newTalk(world(), { tools: ['send'] });
    await world().offline.script([callOf('send'), answer(ANSWER)]);
    const leaving = await workers.next();
    const reached = leaving.hangAt('runTool: during');
    const turn = await say(world(), talk);
    await reached;
    const successor = await workers.next();
    leaving.kill('SIGTERM');
    leaving.letGo();

    expect(await resultOf(world(), turn)).toMatchObject({ status: 'completed', answer: ANSWER });
    expect(effectsOf(world(), turn)).toHaveLength(1);
    const steps = await world().turnkeeper.turns.steps(turn.id);
    expect(steps[1]).toMatchObject({ attempts: 1, tool: { outcome: 'succeeded' } });
    expect(await createsOf(world())).toHaveLength(2);
    expect(await leaving.exited).toEqual({ code: 0, signal: null });
    await expectNextTurn(world(), talk);
    workers.keep(successor);
  });
});
