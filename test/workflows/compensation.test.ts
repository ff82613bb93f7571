import { describe, expect, it, vi } from 'vitest';
import { compensationId } from '../../src/contracts/starter.ts';
import type { Turn } from '../../src/contracts/store.ts';
import {
  compensationClosedAs,
  compensationOf,
  leaveOneAttempt,
  REFUSAL,
  turnOf,
  undoingsOf,
} from '../support/compensating.ts';
import {
  answer,
  effectsOf,
  expectNextTurn,
  heldAnswer,
  newTalk,
  resultOf,
  say,
  SOON,
  untilShown,
} from '../support/talk.ts';
import { useWorld } from '../support/use-world.ts';
import type { TestWorker } from '../support/world.ts';

let worker: TestWorker;
const world = useWorld({
  async prepare(opened) {
    worker = await opened.startWorker();
  },
});

const settledAt = ({ settledAt: at }: { settledAt: Date | null }) => at?.getTime() ?? 0;

describe('a turn that fails for good after its tools took effect', { timeout: 120_000 }, () => {
  it('has them undone, the last one first, and shows that as its own steps', async () => {
    const { talk, turn } = await turnOf(world(), ['reserve', 'touch', 'pay']);
    expect(await resultOf(world(), turn)).toMatchObject({ status: 'failed' });
    expect(await compensationOf(world(), turn)).toMatchObject([
      {
        key: 'compensate:call_pay',
        kind: 'compensate',
        status: 'completed',
        attempts: 1,
        tool: { callId: 'call_pay', name: 'pay', policy: null, outcome: null },
        error: null,
      },
      { key: 'compensate:call_reserve', status: 'completed', attempts: 1 },
    ]);
    expect(effectsOf(world(), turn).map(({ tool }) => tool)).toEqual([
      'reserve',
      'touch',
      'pay',
      'undo pay',
      'undo reserve',
    ]);
    expect(undoingsOf(world(), turn)).toEqual(['undo pay', 'undo reserve']);
    expect(await compensationClosedAs(world(), turn)).toBe('COMPLETED');
    await expectNextTurn(world(), talk);
  });

  it('has those of one round undone in the reverse order of their ends', async () => {
    const talk = await newTalk(world(), { tools: ['reserve', 'pay', 'scramble'] });
    const round = (n: number, ...names: string[]) => ({
      kind: 'calls' as const,
      calls: names.map((name) => ({ name, arguments: {}, callId: `call_${name}_${n}` })),
    });
    const rounds = [round(1, 'reserve', 'pay'), round(2, 'pay', 'scramble', 'reserve')];
    await world().offline.script([...rounds, REFUSAL]);
    const turn = await say(world(), talk);
    const undone = await compensationOf(world(), turn);
    // Dates have milliseconds only.
    const done = await world().sql<{ call_id: string }>(
      `SELECT call_id FROM turnkeeper.steps WHERE turn_id = $1 AND kind = 'tool'
       ORDER BY settled_at DESC, number DESC`,
      [turn.id],
    );
    expect(undone.map(({ tool }) => tool?.callId)).toEqual(done.map((step) => step.call_id));
    expect(undone.map(({ status }) => status)).toEqual(Array(5).fill('completed'));
    // Steps end in their order, too: one after the other.
    expect(undone.map(settledAt)).toEqual(undone.map(settledAt).sort());
    const keys = effectsOf(world(), turn).map(({ key }) => key);
    expect(new Set(keys).size).toBe(10);
  });

  it('has undone what took effect though what it returned was not usable', async () => {
    const { turn } = await turnOf(world(), ['scramble']);
    expect(await compensationOf(world(), turn)).toMatchObject([{ status: 'completed' }]);
    expect(undoingsOf(world(), turn)).toEqual(['undo scramble']);
    const [, step] = await world().turnkeeper.turns.steps(turn.id);
    expect(step).toMatchObject({ status: 'failed', error: { reason: 'invalid_output' } });
  });

  it('is left alone when no tool can undo what it did', async () => {
    const { turn } = await turnOf(world(), ['touch', 'send']);
    expect(await resultOf(world(), turn)).toMatchObject({ turn: { compensation: null } });
    await expectNoCompensation(turn);
  });
});

async function expectNoCompensation(turn: Turn): Promise<void> {
  expect(await world().turnkeeper.turns.get(turn.id)).toMatchObject({ compensation: null });
  const handle = world().temporal.workflow.getHandle(compensationId(turn.id));
  await expect(handle.describe()).rejects.toMatchObject({ name: 'WorkflowNotFoundError' });
  expect(undoingsOf(world(), turn)).toEqual([]);
}

describe('a turn that does not fail', { timeout: 120_000 }, () => {
  it('keeps its effects when it completes', async () => {
    const { turn } = await turnOf(world(), ['reserve'], answer('Reserved.'));
    expect(await resultOf(world(), turn)).toMatchObject({ status: 'completed' });
    await expectNoCompensation(turn);
  });

  it('keeps its effects when it is cancelled', async () => {
    const { turn } = await turnOf(world(), ['reserve'], heldAnswer('I am going to tell you.'));
    await untilShown(world(), turn);
    expect(await world().turnkeeper.turns.cancel(turn.id)).toMatchObject({ status: 'cancelled' });
    await expectNoCompensation(turn);
  });

  it('keeps its effects when it expires', async () => {
    const { turn } = await turnOf(world(), ['reserve'], heldAnswer('I am going to tell you.'));
    await untilShown(world(), turn);
    await world().sql(
      "UPDATE turnkeeper.turns SET deadline = now() - interval '61 seconds' WHERE id = $1",
      [turn.id],
    );
    expect(await resultOf(world(), turn)).toMatchObject({ status: 'expired' });
    await expectNoCompensation(turn);
  });
});

describe('a compensation', { timeout: 120_000 }, () => {
  it('is tried again until it works', async () => {
    const { turn } = await turnOf(world(), ['resist']);
    expect(await compensationOf(world(), turn)).toMatchObject([
      { status: 'completed', attempts: 3, error: null },
    ]);
    expect(undoingsOf(world(), turn)).toEqual(Array(3).fill('undo resist'));
  });

  it('that fails for good says so, is logged, and keeps no other from being undone', async () => {
    const { talk, turn } = await turnOf(world(), ['reserve', 'refuse', 'pay']);
    await leaveOneAttempt(world(), turn, 'refuse');
    expect(await compensationOf(world(), turn)).toMatchObject([
      { key: 'compensate:call_pay', status: 'completed' },
      {
        key: 'compensate:call_refuse',
        status: 'failed',
        error: { reason: 'compensation_failed', message: 'no refunds' },
      },
      { key: 'compensate:call_reserve', status: 'completed' },
    ]);
    expect(new Set(undoingsOf(world(), turn))).toEqual(
      new Set(['undo pay', 'undo refuse', 'undo reserve']),
    );
    await vi.waitFor(() => expect(worker.output()).toContain('effect not undone'), SOON);
    expect(await compensationClosedAs(world(), turn)).toBe('COMPLETED');
    await expectNextTurn(world(), talk);
  });

  it('whose tool is not registered any more says so, and goes on with the others', async () => {
    const atEnd = worker.hangAt('closeTurn: before');
    const { turn } = await turnOf(world(), ['reserve', 'pay']);
    await atEnd;
    await world().sql(
      "UPDATE turnkeeper.steps SET tool_name = 'sold' WHERE turn_id = $1 AND key = 'tool:call_pay'",
      [turn.id],
    );
    worker.letGo();
    await leaveOneAttempt(world(), turn, 'pay');
    expect(await compensationOf(world(), turn)).toMatchObject([
      { status: 'failed', tool: { name: 'sold' }, error: { reason: 'tool_not_registered' } },
      { status: 'completed', tool: { name: 'reserve' } },
    ]);
    expect(undoingsOf(world(), turn)).toEqual(['undo reserve']);
  });

  it('does not listen to a cancellation', async () => {
    const reached = worker.hangAt('compensate pay: before');
    const { turn } = await turnOf(world(), ['reserve', 'pay']);
    await reached;
    await world().temporal.workflow.getHandle(compensationId(turn.id)).cancel();
    worker.letGo();
    expect(await compensationOf(world(), turn)).toMatchObject([
      { status: 'completed', attempts: 1 },
      { status: 'completed', attempts: 1 },
    ]);
    expect(await compensationClosedAs(world(), turn)).toBe('COMPLETED');
  });

  it('shows operators how far it is', async () => {
    const reached = worker.hangAt('compensate reserve: before');
    const { turn } = await turnOf(world(), ['reserve', 'pay']);
    await reached;
    const handle = world().temporal.workflow.getHandle(compensationId(turn.id));
    expect(await handle.query('__temporal_workflow_metadata')).toMatchObject({
      currentDetails: '- ✔ `compensate:call_pay` pay\n- ▶ `compensate:call_reserve` reserve',
    });
    worker.letGo();
    await compensationOf(world(), turn);
  });
});
