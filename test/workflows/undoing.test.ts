import { describe, expect, it } from 'vitest';
import type { CreateAssistant } from '../../src/client/assistants.ts';
import type { Turn } from '../../src/contracts/store.ts';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { compensationOf, notesOf, turnOf, undoingsOf } from '../support/compensating.ts';
import {
  answer,
  callOf,
  createsOf,
  expectNextTurn,
  heldAnswer,
  newTalk,
  resultOf,
  say,
  untilShown,
  untilStreamed,
  type Talk,
} from '../support/talk.ts';
import { useWorld } from '../support/use-world.ts';

const HELD = heldAnswer('I am going to tell you.');

const world = useWorld({
  async prepare(opened) {
    await opened.startWorker();
  },
});

const cancel = ({ id }: Turn, options = {}) => world().turnkeeper.turns.cancel(id, options);
const effectsOf = async (turn: Turn) => (await resultOf(world(), turn)).effects;

async function begun(assistant: Partial<CreateAssistant>, ...script: ScriptStep[]) {
  const talk = await newTalk(world(), assistant);
  await world().offline.script(script);
  return { talk, turn: await say(world(), talk) };
}

/** Another turn of the conversation; answers what its model was sent. */
async function nextInput(talk: Talk): Promise<string> {
  await expectNextTurn(world(), talk);
  const [create] = await createsOf(world());
  return JSON.stringify(create?.body);
}

describe('a cancelled turn', { timeout: 120_000 }, () => {
  it('is undone when that was asked for, by however many, and the next model call knows it', async () => {
    const { talk, turn } = await turnOf(world(), ['reserve', 'pay'], HELD);
    await untilShown(world(), turn);
    const { compensate } = world().turnkeeper.turns;
    const [cancelled] = await Promise.all([
      cancel(turn, { compensate: true }),
      cancel(turn, { compensate: true }),
      compensate(turn.id),
    ]);
    expect(cancelled).toMatchObject({ status: 'cancelled' });
    expect(await compensationOf(world(), turn)).toMatchObject([
      { key: 'compensate:call_pay', status: 'completed', attempts: 1 },
      { key: 'compensate:call_reserve', status: 'completed', attempts: 1 },
    ]);
    expect(undoingsOf(world(), turn)).toEqual(['undo pay', 'undo reserve']);
    expect(await effectsOf(turn)).toMatchObject([
      {
        callId: 'call_reserve',
        outcome: 'undone',
        message: 'reserve was undone. Nothing of it is left.',
      },
      { callId: 'call_pay', outcome: 'undone' },
    ]);
    expect(await nextInput(talk)).toMatch(/pay, called with .{0,20}: was undone/);
  });

  it('is undone when its assistant says so', async () => {
    const assistant = { tools: ['reserve'], compensateOn: ['cancelled' as const] };
    const { turn } = await begun(assistant, callOf('reserve'), HELD);
    await untilShown(world(), turn);
    await cancel(turn);
    expect(await compensationOf(world(), turn)).toMatchObject([{ status: 'completed' }]);
    expect(undoingsOf(world(), turn)).toEqual(['undo reserve']);
  });

  it('is undone of what its tool was still at, where the tool says that this is safe', async () => {
    const { talk, turn } = await begun({ tools: ['wander'] }, callOf('wander'));
    await untilStreamed(world(), turn, 'turn.tool_progress');
    await cancel(turn, { compensate: true });
    expect(await compensationOf(world(), turn)).toMatchObject([{ status: 'completed' }]);
    expect(undoingsOf(world(), turn)).toEqual(['undo wander']);
    expect(await nextInput(talk)).toMatch(/wander, called with .{0,20}: was undone/);
  });

  it('leaves what nobody knows to people otherwise, and tells them and the model', async () => {
    const { talk, turn } = await begun({ tools: ['linger'] }, callOf('linger'));
    await untilStreamed(world(), turn, 'turn.tool_progress');
    expect(await cancel(turn, { compensate: true })).toMatchObject({ compensation: null });
    const message = expect.stringMatching(/not known whether linger took effect/) as string;
    expect(await effectsOf(turn)).toEqual([
      { callId: 'call_linger', tool: 'linger', outcome: 'unknown', message },
    ]);
    expect(await nextInput(talk)).toMatch(/linger, called with .{0,20}: it is unknown/);
  });
});

describe('a turn that has completed', { timeout: 120_000 }, () => {
  it('is undone when that is asked for, once', async () => {
    const { talk, turn } = await turnOf(world(), ['reserve'], answer('Reserved.'));
    expect(await effectsOf(turn)).toMatchObject([{ outcome: 'done' }]);
    expect(await notesOf(world(), talk)).toEqual([]);
    const { compensate } = world().turnkeeper.turns;
    expect(await compensate(turn.id)).toMatchObject({ compensation: 'requested' });
    expect(await compensationOf(world(), turn)).toMatchObject([{ status: 'completed' }]);
    expect(await compensate(turn.id)).toMatchObject({ compensation: 'closed' });
    expect(undoingsOf(world(), turn)).toEqual(['undo reserve']);
    expect(await notesOf(world(), talk)).toHaveLength(2);
    await expectNextTurn(world(), talk);
  });
});
