import { WorkflowUpdateFailedError } from '@temporalio/client';
import { describe, expect, it, vi } from 'vitest';
import { ACTIONS_SUBMITTED } from '../../src/contracts/actions.ts';
import type { JsonObject } from '../../src/contracts/json.ts';
import { answer, effectsOf, heldAnswer, SOON } from '../support/talk.ts';
import { endOf, itemsOf, runTurn, startTurn, toolOutputs, useWorld } from '../support/turns.ts';
import { asking, untilWaiting } from '../support/waiting-turns.ts';
import { approvals } from './suites/approvals.ts';
import { ANSWER, completed, toldTo, waitingIn, CLIENT_TOOL } from './waiting.ts';

const world = useWorld();
const { turns, waitingTurn } = waitingIn(world);

approvals(world);

describe('a tool that the caller runs', () => {
  it('is offered like any other, and its output is what the caller submits', async () => {
    const calls = { ask_user: { question: 'Which?' }, pick_seat: { row: 3 } };
    const assistant = { tools: ['pick_seat'], clientTools: [CLIENT_TOOL] };
    const turn = await waitingTurn(calls, assistant);
    expect(await turns().actions(turn.id)).toMatchObject([
      { name: 'ask_user', kind: 'outputs', arguments: { question: 'Which?' } },
      { name: 'pick_seat', kind: 'outputs', arguments: { row: 3 } },
    ]);
    await turns().submit(turn.id, {
      outputs: [
        { callId: 'call_pick_seat', output: { seat: '3A' } },
        { callId: 'call_ask_user', output: 'The blue one.' },
      ],
    });
    const ended = await endOf(world.current, turn);
    expect(ended).toMatchObject(completed);
    expect(toldTo(ended)).toEqual([
      ['call_ask_user', 'The blue one.'],
      ['call_pick_seat', '{"seat":"3A"}'],
    ]);
    expect(JSON.stringify(ended.requests[0]?.['tools'])).toContain('"name":"ask_user"');
  });

  it('may be answered bit by bit, and the calls of other tools do not wait for it', async () => {
    const names = ['transfer', 'withdraw', 'touch', 'send', 'charge', 'pick_seat'];
    const calls = Object.fromEntries(names.map((name) => [name, {}]));
    const turn = await waitingTurn(calls, { tools: names });
    const did = () =>
      effectsOf(world.current, turn)
        .map(({ tool }) => tool)
        .sort();
    await vi.waitFor(() => expect(did()).toEqual(['charge', 'send', 'touch']), SOON);

    await expect(
      turns().submit(turn.id, { approvals: [{ callId: 'call_withdraw', approve: true }] }),
    ).rejects.toMatchObject({
      code: 'actions_missing',
      details: { missing: ['call_transfer', 'call_pick_seat'] },
    });
    await turns().submit(turn.id, {
      approvals: [{ callId: 'call_withdraw', approve: true }],
      partial: true,
    });
    await vi.waitFor(() => expect(did()).toContain('withdraw'), SOON);
    expect((await turns().get(turn.id)).status).toBe('requires_action');

    await turns().submit(turn.id, {
      approvals: [{ callId: 'call_transfer', approve: false }],
      outputs: [{ callId: 'call_pick_seat', output: '3A' }],
    });
    const ended = await endOf(world.current, turn);
    expect(ended).toMatchObject(completed);
    expect(did()).toEqual(['charge', 'send', 'touch', 'withdraw']);
    expect(toldTo(ended).map(([callId]) => callId)).toEqual(names.map((name) => `call_${name}`));
  });

  it('may wait in several rounds of one turn', async () => {
    const script = [asking({ pick_seat: {} }), asking({ transfer: {} }), answer(ANSWER)];
    const assistant = { tools: ['pick_seat', 'transfer'] };
    const turn = await startTurn(world.current, { assistant, script });
    await untilWaiting(world.current, turn);
    await turns().submit(turn.id, { outputs: [{ callId: 'call_pick_seat', output: '3A' }] });
    await vi.waitFor(async () => expect(await turns().actions(turn.id)).toHaveLength(2), SOON);
    await turns().submit(turn.id, { approvals: [{ callId: 'call_transfer', approve: true }] });
    expect(await endOf(world.current, turn)).toMatchObject(completed);
  });
});

describe('the time of a turn that waits', () => {
  it('is up at the deadline of its actions: it ends as expired, and says what is known of each call', async () => {
    const calls = { transfer: {}, pick_seat: {}, wait_and_tell: { ms: 60_000, label: 'x' } };
    const tools = ['transfer', 'pick_seat', 'wait_and_tell'];
    const turn = await waitingTurn(calls, { tools, limits: { actionTimeoutMs: 1_000 } });
    const ended = await endOf(world.current, turn);
    expect(ended).toMatchObject({ status: 'expired', reason: null });
    const outputs = toolOutputs(await itemsOf(world.current, turn.conversationId));
    const types = outputs.map(([, output]) => (JSON.parse(output) as JsonObject)['error']);
    expect(types).toMatchObject([
      { type: 'not_started', message: expect.stringContaining('approved') as string },
      { type: 'outcome_unknown', message: expect.stringContaining('submitted') as string },
      { type: 'outcome_unknown' },
    ]);
    expect(await turns().actions(turn.id)).toMatchObject([
      { state: 'closed' },
      { state: 'closed' },
    ]);
    await expect(
      turns().submit(turn.id, {
        approvals: [{ callId: 'call_transfer', approve: true }],
        partial: true,
      }),
    ).rejects.toMatchObject({ code: 'turn_not_waiting' });
    expect(effectsOf(world.current, turn)).toEqual([]);
  });

  it('stands still: a turn may wait for longer than it may work', async () => {
    const limits = { turnTimeoutMs: 3_000, actionTimeoutMs: 60_000 };
    const turn = await waitingTurn({ transfer: {} }, { tools: ['transfer'], limits });
    const { acceptedAt, deadline } = await turns().get(turn.id);
    expect(deadline.getTime() - acceptedAt.getTime()).toBeGreaterThanOrEqual(60_000);
    await vi.waitFor(() => {
      expect(Date.now()).toBeGreaterThan(acceptedAt.getTime() + limits.turnTimeoutMs);
    }, SOON);
    const { deadline: after } = await turns().submit(turn.id, {
      approvals: [{ callId: 'call_transfer', approve: true }],
    });
    expect(after.getTime()).toBeLessThan(deadline.getTime());
    expect(await endOf(world.current, turn)).toMatchObject(completed);
  });

  it('ends at once when the turn is cancelled', async () => {
    const turn = await waitingTurn({ transfer: {} }, { tools: ['transfer'] });
    expect(await turns().cancel(turn.id)).toMatchObject({ status: 'cancelled', state: 'sealed' });
    expect(await turns().actions(turn.id)).toMatchObject([{ state: 'closed' }]);
    const next = await runTurn(world.current, {
      conversationId: turn.conversationId,
      script: [answer('Here I am.')],
    });
    expect(next).toMatchObject({ status: 'completed' });
  });
});

describe('an Update', () => {
  it('is refused when the turn waits for nothing any more', async () => {
    const script = [asking({ transfer: {} }), heldAnswer(ANSWER)];
    const turn = await startTurn(world.current, { assistant: { tools: ['transfer'] }, script });
    await untilWaiting(world.current, turn);
    await turns().submit(turn.id, { approvals: [{ callId: 'call_transfer', approve: true }] });
    await vi.waitFor(async () => {
      expect(await world.current.offline.state()).toMatchObject({ held: 1 });
    }, SOON);
    const handle = world.current.temporal.workflow.getHandle(turn.id);
    await expect(handle.executeUpdate(ACTIONS_SUBMITTED)).rejects.toBeInstanceOf(
      WorkflowUpdateFailedError,
    );
    await world.current.offline.release();
    expect(await endOf(world.current, turn)).toMatchObject(completed);
  });
});

describe('what operators see', () => {
  it('is which calls wait, and for what', async () => {
    const turn = await waitingTurn(
      { transfer: {}, pick_seat: {} },
      {
        tools: ['transfer', 'pick_seat'],
      },
    );
    const details = async () => {
      const handle = world.current.temporal.workflow.getHandle(turn.id);
      return JSON.stringify(await handle.query('__temporal_workflow_metadata'));
    };
    await vi.waitFor(async () => {
      const shown = await details();
      expect(shown).toContain('⏸ `tool:call_transfer` transfer: waits for approval');
      expect(shown).toContain('⏸ `tool:call_pick_seat` pick_seat: waits for its output');
    }, SOON);
    await turns().cancel(turn.id);
  });
});
