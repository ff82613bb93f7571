import { describe, expect, it } from 'vitest';
import { compensationOf, REFUSAL, turnOf, undoingsOf } from '../support/compensating.ts';
import {
  answer,
  createsOf,
  effectsOf,
  expectNextTurn,
  heldAnswer,
  newTalk,
  resultOf,
  say,
  untilShown,
} from '../support/talk.ts';
import { inputOf, itemsOf, toolOutputs, useWorld } from '../support/turns.ts';
import type { JsonObject } from '../../src/contracts/json.ts';

const world = useWorld();

const lastInput = async (): Promise<JsonObject[]> => {
  const creates = await createsOf(world.current);
  return inputOf(creates.at(-1)?.body as JsonObject | undefined);
};

const failed = (code: string) => expect.objectContaining({ code }) as unknown;

describe('a turn that is retried', { timeout: 120_000 }, () => {
  it('answers from what the tools had said, and calls none of them again', async () => {
    const { current } = world;
    const { turns } = current.turnkeeper;
    const { talk, turn } = await turnOf(current, ['touch', 'send']);
    expect(await resultOf(current, turn)).toMatchObject({ status: 'failed' });
    await current.offline.script([answer('Done after all.')]);
    const again = await turns.retry(turn.id, { idempotencyKey: 'once more' });
    expect(again).toMatchObject({
      conversationId: talk.conversationId,
      origin: { kind: 'retry', turnId: turn.id },
    });
    expect(await resultOf(current, again)).toMatchObject({
      status: 'completed',
      answer: 'Done after all.',
    });
    expect(toolOutputs(await lastInput()).map(([callId]) => callId)).toEqual([
      'call_touch',
      'call_send',
    ]);
    expect(effectsOf(current, turn).map(({ tool }) => tool)).toEqual(['touch', 'send']);
    expect(effectsOf(current, again)).toEqual([]);
    // What it reused is an effect of the turn that `origin` names.
    expect(await turns.result(again.id)).toMatchObject({
      effects: [],
      turn: { origin: { turnId: turn.id } },
    });
    expect(await turns.result(turn.id)).toMatchObject({
      effects: [
        { callId: 'call_touch', outcome: 'done' },
        { callId: 'call_send', outcome: 'done' },
      ],
    });
    expect(await turns.retry(turn.id, { idempotencyKey: 'once more' })).toMatchObject({
      id: again.id,
    });
    await expect(turns.retry(turn.id)).rejects.toEqual(failed('turn_not_retryable'));
    expect((await turns.result(turn.id)).output).not.toHaveLength(0);
  });

  it('makes a partial answer anew', async () => {
    const { current } = world;
    const { turns } = current.turnkeeper;
    const talk = await newTalk(current);
    await current.offline.script([heldAnswer('It was a dark and stormy night.')]);
    const turn = await say(current, talk, 'Tell me a story.');
    await untilShown(current, turn);
    await expect(turns.retry(turn.id)).rejects.toEqual(failed('conversation_busy'));
    await turns.cancel(turn.id);
    await current.offline.script([answer('The sun shone.')]);
    const again = await turns.retry(turn.id);
    expect(await resultOf(current, again)).toMatchObject({ answer: 'The sun shone.' });
    expect(await lastInput()).toHaveLength(1);
    expect(JSON.stringify(await itemsOf(current, talk.conversationId))).not.toContain('dark');
  });

  it('is told what was undone, and may have it done once more', async () => {
    const { current } = world;
    const { turn } = await turnOf(current, ['reserve']);
    await resultOf(current, turn);
    await compensationOf(current, turn);
    expect(undoingsOf(current, turn)).toEqual(['undo reserve']);
    const calls = [{ name: 'reserve', arguments: {}, callId: 'call_again' }];
    await current.offline.script([{ kind: 'calls', calls }, answer('Reserved.')]);
    const again = await current.turnkeeper.turns.retry(turn.id);
    expect(await resultOf(current, again)).toMatchObject({ status: 'completed' });
    const [first] = await createsOf(current);
    const [[, output] = []] = toolOutputs(inputOf(first?.body as JsonObject));
    expect(output).toContain('was undone since');
    expect(effectsOf(current, again).map(({ tool }) => tool)).toEqual(['reserve']);
  });
});

describe('a turn that is regenerated', { timeout: 120_000 }, () => {
  it('is answered anew from its input, in its place, and what it did is undone where asked for', async () => {
    const { current } = world;
    const { turns } = current.turnkeeper;
    const { talk, turn } = await turnOf(current, ['reserve'], answer('Reserved.'));
    expect(await resultOf(current, turn)).toMatchObject({ status: 'completed' });
    await current.offline.script([answer('I reserved nothing.')]);
    const again = await turns.regenerate(turn.id, { compensate: true });
    expect(await resultOf(current, again)).toMatchObject({ answer: 'I reserved nothing.' });
    expect(toolOutputs(await lastInput())).toEqual([]);
    expect(await compensationOf(current, turn)).toMatchObject([{ status: 'completed' }]);
    expect(undoingsOf(current, turn)).toEqual(['undo reserve']);
    const text = JSON.stringify(await itemsOf(current, talk.conversationId));
    expect(text).toContain('I reserved nothing.');
    expect(text).not.toContain('"Reserved."');
  });
});

describe('a turn that is edited', { timeout: 120_000 }, () => {
  it('becomes a branch with all that came before, and nothing is done again for it', async () => {
    const { current } = world;
    const { turns, conversations } = current.turnkeeper;
    const { talk, turn: first } = await turnOf(current, ['touch'], answer('Touched.'));
    await resultOf(current, first);
    await current.offline.script([heldAnswer('The old way is long.')]);
    const second = await say(current, talk, 'And the old way?');
    await untilShown(current, second);
    const before = await itemsOf(current, talk.conversationId);
    await current.offline.script([answer('The new way is short.')]);
    const branch = await turns.edit(second.id, { input: 'And the new way?' });
    expect(await resultOf(current, branch)).toMatchObject({ answer: 'The new way is short.' });
    expect(toolOutputs(await lastInput()).map(([callId]) => callId)).toEqual(['call_touch']);
    expect(JSON.stringify(await lastInput())).not.toContain('the old way');
    expect(effectsOf(current, branch)).toEqual([]);
    expect(effectsOf(current, first)).toHaveLength(1);
    expect(await conversations.get(branch.conversationId)).toMatchObject({
      branchedFrom: { conversationId: talk.conversationId, turnId: second.id },
    });
    expect(await itemsOf(current, talk.conversationId)).toEqual(before);
    expect(await turns.get(second.id)).toMatchObject({ status: 'in_progress' });
    await turns.cancel(second.id);
  });

  it('is told of what is undone after the branch was made', async () => {
    const { current } = world;
    const { turns } = current.turnkeeper;
    const { talk, turn: first } = await turnOf(current, ['reserve'], answer('Reserved.'));
    await resultOf(current, first);
    await current.offline.script([answer('By train.'), answer('By ship.')]);
    const second = await say(current, talk, 'How do I get there?');
    await resultOf(current, second);
    const branch = await turns.edit(second.id, { input: 'And how else?' });
    expect(await resultOf(current, branch)).toMatchObject({ answer: 'By ship.' });
    await turns.compensate(first.id);
    await compensationOf(current, first);
    const undone = /reserve, called with .{0,20}: was undone/g;
    for (const { conversationId } of [talk, branch]) {
      await expectNextTurn(current, { ...talk, conversationId });
      expect(JSON.stringify(await lastInput()).match(undone)).toHaveLength(1);
    }
  });

  it('is refused without input, and where there is no such turn', async () => {
    const { turns } = world.current.turnkeeper;
    const { turn } = await turnOf(world.current, [], REFUSAL);
    await resultOf(world.current, turn);
    await expect(turns.edit(turn.id, { input: ' ' })).rejects.toEqual(failed('input_empty'));
    await expect(turns.edit('nobody', { input: 'Hi' })).rejects.toEqual(failed('turn_not_found'));
    await expect(turns.regenerate('nobody')).rejects.toEqual(failed('turn_not_found'));
  });
});
