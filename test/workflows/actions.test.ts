import { WorkflowUpdateFailedError } from '@temporalio/client';
import { describe, expect, it, vi } from 'vitest';
import { ACTIONS_SUBMITTED } from '../../src/contracts/actions.ts';
import type { AssistantDefinition } from '../../src/contracts/assistant.ts';
import type { JsonObject } from '../../src/contracts/json.ts';
import { answer, effectsOf, heldAnswer, SOON } from '../support/talk.ts';
import {
  endOf,
  eventTypes,
  inputOf,
  itemsOf,
  runTurn,
  startTurn,
  toolOutputs,
  useWorld,
  type EndedTurn,
  type StartedTurn,
} from '../support/turns.ts';
import { asking, untilWaiting } from '../support/waiting-turns.ts';

const world = useWorld();
const ANSWER = 'That is settled.';
const CLIENT_TOOL = {
  name: 'ask_user',
  description: 'Asks the user.',
  parameters: {
    type: 'object',
    properties: { question: { type: 'string' } },
    required: ['question'],
  },
} satisfies JsonObject;

const turns = () => world.current.turnkeeper.turns;

/** A turn whose model asks for these calls and then answers; it waits. */
async function waitingTurn(
  calls: Record<string, JsonObject>,
  assistant: Partial<AssistantDefinition> = {},
): Promise<StartedTurn> {
  const script = [asking(calls), answer(ANSWER)];
  const turn = await startTurn(world.current, { assistant, script });
  await untilWaiting(world.current, turn);
  return turn;
}

function toldTo({ requests }: EndedTurn): [string, string][] {
  return toolOutputs(inputOf(requests[1]));
}

const completed = { status: 'completed', answer: ANSWER };

describe('a call that needs approval', () => {
  it('waits, is told to readers, and runs once it is approved', async () => {
    const turn = await waitingTurn({ transfer: { amount: 5 } }, { tools: ['transfer'] });
    expect(await turns().actions(turn.id)).toMatchObject([
      { callId: 'call_transfer', name: 'transfer', kind: 'approval', state: 'pending' },
    ]);
    expect(effectsOf(world.current, turn)).toEqual([]);

    const { status } = await turns().submit(turn.id, {
      approvals: [{ callId: 'call_transfer', approve: true }],
    });
    expect(status).toBe('in_progress');
    const ended = await endOf(world.current, turn);
    expect(ended).toMatchObject(completed);
    expect(effectsOf(world.current, turn)).toEqual([
      { tool: 'transfer', key: `${turn.id}:tool:call_transfer` },
    ]);
    expect(toldTo(ended)).toEqual([['call_transfer', '{"amount":5}']]);
    expect(ended.events.find(({ event }) => event.type === 'turn.requires_action')?.event).toEqual({
      type: 'turn.requires_action',
      calls: [
        { call_id: 'call_transfer', name: 'transfer', kind: 'approval', arguments: { amount: 5 } },
      ],
      deadline: expect.any(String) as string,
    });
    expect(ended.events.find(({ event }) => event.type === 'turn.action_decided')?.event).toEqual({
      type: 'turn.action_decided',
      call_id: 'call_transfer',
      decision: 'approved',
    });
    expect(await turns().actions(turn.id)).toMatchObject([{ state: 'approved' }]);
  });

  it('does not run once it is denied, and the model is told why', async () => {
    const turn = await waitingTurn({ transfer: { amount: 5 } }, { tools: ['transfer'] });
    await turns().submit(turn.id, {
      approvals: [{ callId: 'call_transfer', approve: false, reason: 'Too much for today.' }],
    });
    const ended = await endOf(world.current, turn);
    expect(ended).toMatchObject(completed);
    expect(effectsOf(world.current, turn)).toEqual([]);
    expect(toldTo(ended)).toMatchObject([
      ['call_transfer', expect.stringMatching(/"denied".*Too much for today\./)],
    ]);
    expect(ended.steps.map(({ key }) => key)).toEqual(['respond:1', 'respond:2']);
  });

  it('runs with the arguments that whoever approved it has made of them, and the model is told', async () => {
    const turn = await waitingTurn({ transfer: { amount: 500 } }, { tools: ['transfer'] });
    const edited = (amount: number) =>
      turns().submit(turn.id, {
        approvals: [{ callId: 'call_transfer', approve: true, arguments: { amount } }],
      });
    await expect(edited(-1)).rejects.toMatchObject({
      code: 'invalid_request',
      details: { field: 'approvals[0].arguments', mistakes: ['/amount must be >= 0'] },
    });
    await edited(50);
    const ended = await endOf(world.current, turn);
    expect(ended).toMatchObject(completed);
    const told = toldTo(ended).map(([, output]) => output)[0] ?? '';
    expect(told).toMatch(/changed its arguments.*\{"amount":50\}/);
    expect(told.endsWith('{"amount":50}')).toBe(true);
    const call = ended.output.find(({ type }) => type === 'function_call');
    expect(call).toMatchObject({ arguments: '{"amount":500}' });
    expect(await turns().actions(turn.id)).toMatchObject([
      { arguments: { amount: 500 }, editedArguments: { amount: 50 } },
    ]);
  });

  it('undoes what the turn has done, where whoever denies it asks for that', async () => {
    const script = [asking({ reserve: {} }), asking({ transfer: {} }), answer(ANSWER)];
    const assistant = { tools: ['reserve', 'transfer'] };
    const turn = await startTurn(world.current, { assistant, script });
    await untilWaiting(world.current, turn);
    await turns().submit(turn.id, {
      approvals: [{ callId: 'call_transfer', approve: false, compensate: true }],
    });
    await endOf(world.current, turn);
    await vi.waitFor(async () => {
      expect((await turns().get(turn.id)).compensation).toBe('closed');
    }, SOON);
    const steps = await turns().steps(turn.id);
    expect(steps.at(-1)).toMatchObject({ key: 'compensate:call_reserve', status: 'completed' });
  });
});

describe('a predicate', () => {
  it.each([
    ['lets a call pass of which it says no', { amount: 100 }, false],
    ['holds a call of which it says yes', { amount: 101 }, true],
    ['holds a call on which it throws', {}, true],
  ])('%s', async (_, args, waits) => {
    const script = [asking({ spend: args }), answer(ANSWER)];
    const turn = await startTurn(world.current, { assistant: { tools: ['spend'] }, script });
    if (waits) {
      await untilWaiting(world.current, turn);
      const approvals = [{ callId: 'call_spend', approve: true } as const];
      await turns().submit(turn.id, { approvals });
    }
    const ended = await endOf(world.current, turn);
    expect(ended).toMatchObject(completed);
    expect(eventTypes(ended.events).includes('turn.requires_action')).toBe(waits);
  });

  it('is not asked of arguments that do not fit: the model is told', async () => {
    const turn = await runTurn(world.current, {
      assistant: { tools: ['transfer', 'spend', 'pick_seat'], clientTools: [CLIENT_TOOL] },
      script: [
        asking({
          transfer: { amount: 'all' },
          spend: { amount: -200 },
          pick_seat: { row: 'front' },
          ask_user: {},
        }),
        answer(ANSWER),
      ],
    });
    expect(turn).toMatchObject(completed);
    const errors = toldTo(turn).map(([, output]) => JSON.parse(output) as JsonObject);
    expect(errors).toHaveLength(4);
    for (const { error } of errors) expect(error).toMatchObject({ type: 'invalid_arguments' });
  });

  it('is not asked in the last round, whose calls nobody makes', async () => {
    const turn = await runTurn(world.current, {
      assistant: { tools: ['transfer'], limits: { maxRounds: 1 } },
      script: [asking({ transfer: { amount: 1 } })],
    });
    expect(turn).toMatchObject({ status: 'incomplete', reason: 'max_rounds' });
    expect(eventTypes(turn.events)).not.toContain('turn.requires_action');
  });
});

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
