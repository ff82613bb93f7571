import { CancelledFailure } from '@temporalio/common';
import { describe, expect, it, vi } from 'vitest';
import { createCompensate } from '../../src/activities/compensate.ts';
import {
  StoreUnavailable,
  type BegunStep,
  type CompensationStore,
  type EffectToUndo,
  type Store,
} from '../../src/contracts/store.ts';
import type { CompensationContext, ToolDefinition } from '../../src/contracts/tools.ts';
import { attemptOf, ports, shutDown, silent, TURN } from './stand-ins.ts';

const EFFECT: EffectToUndo = {
  conversationId: 'conversation-1',
  endUser: 'user-7',
  toolName: 'book',
  arguments: '{"seat":"12A"}',
  output: { booking: 7 },
  known: true,
};
const STEP = { ...TURN, step: 'compensate:c1', after: ['compensate:c2'] };
const SETTLED: BegunStep = { state: 'settled', status: 'completed', result: null, error: null };

const after = (earlierAttempts: number): BegunStep => ({ state: 'open', earlierAttempts });

function compensationStore(begun: BegunStep) {
  return {
    effects: vi.fn<CompensationStore['effects']>(async () => []),
    begin: vi.fn<CompensationStore['begin']>(async () => begun),
    loadEffect: vi.fn<CompensationStore['loadEffect']>(async () => EFFECT),
    settle: vi.fn<CompensationStore['settle']>(async () => undefined),
    close: vi.fn<CompensationStore['close']>(async () => undefined),
    abandon: vi.fn<CompensationStore['abandon']>(async () => 0),
  };
}

type Compensate = NonNullable<ToolDefinition['compensate']>;

function tool(compensate?: Compensate): ToolDefinition {
  return {
    name: 'book',
    description: 'Books a seat.',
    parameters: { type: 'object' },
    policy: 'idempotent',
    run: () => 'booked',
    ...(compensate && { compensate }),
  };
}

function setting(tools: ToolDefinition[], begun = after(0)) {
  const compensations = compensationStore(begun);
  const logger = { ...silent, error: vi.fn() };
  const store = { compensations } as unknown as Store;
  return { compensations, logger, activities: createCompensate(ports({ tools, store, logger })) };
}

function undo(
  tools: ToolDefinition[],
  { begun = after(0), timeoutMs = 5_000, loaded = EFFECT } = {},
) {
  const { compensations, activities } = setting(tools, begun);
  compensations.loadEffect.mockResolvedValue(loaded);
  const environment = attemptOf();
  const effect = { callId: 'c1', name: 'book', timeoutMs };
  const outcome = environment.run(activities.compensateEffect, { ...STEP, effect });
  return { outcome, environment, compensations };
}

describe('an effect', () => {
  it('is undone by its tool, which learns what it did and under which key', async () => {
    const compensate = vi.fn<Compensate>();
    const { outcome, compensations } = undo([tool(compensate)]);
    await outcome;
    expect(compensate.mock.calls).toEqual([
      [
        { seat: '12A' },
        { booking: 7 },
        {
          key: 'turn-1:compensate:c1',
          runKey: 'turn-1:tool:c1',
          turn: { ...TURN, conversationId: 'conversation-1', endUser: 'user-7' },
          signal: expect.any(AbortSignal) as AbortSignal,
          progress: expect.any(Function) as () => void,
        },
      ],
    ]);
    expect(compensations.begin.mock.calls).toMatchObject([
      [{ step: STEP.step, after: STEP.after, callId: 'c1' }],
    ]);
    expect(compensations.settle.mock.calls).toMatchObject([[{ step: STEP.step }, null]]);
  });

  it.each(['{"seat":"12A"}', '{"seat":12}', '{"seat":'])(
    'of which nobody knows is undone with arguments that its tool may have got, and no others: %s',
    async (args) => {
      const compensate = vi.fn<Compensate>();
      const parameters = { type: 'object', properties: { seat: { type: 'string' } } };
      const loaded = { ...EFFECT, arguments: args, output: null, known: false };
      const { outcome } = undo([{ ...tool(compensate), parameters }], { loaded });
      if (args === EFFECT.arguments) {
        await outcome;
        expect(compensate).toHaveBeenCalledOnce();
        expect(compensate.mock.calls[0]?.[1]).toBeNull();
        return;
      }
      const refusal = { type: 'invalid_arguments', nonRetryable: true };
      await expect(outcome).rejects.toMatchObject(refusal);
      expect(compensate).not.toHaveBeenCalled();
    },
  );

  it('that was undone is not undone again', async () => {
    const compensate = vi.fn<Compensate>();
    const { outcome, compensations } = undo([tool(compensate)], { begun: SETTLED });
    await outcome;
    expect(compensate).not.toHaveBeenCalled();
    expect(compensations.settle).not.toHaveBeenCalled();
  });

  it('is not undone again because the database was away when that was to be stored', async () => {
    const compensate = vi.fn<Compensate>();
    const { compensations, activities } = setting([tool(compensate)]);
    compensations.settle.mockRejectedValueOnce(new StoreUnavailable(new Error('lost')));
    const effect = { callId: 'c1', name: 'book', timeoutMs: 5_000 };
    await attemptOf().run(activities.compensateEffect, { ...STEP, effect });
    expect(compensate).toHaveBeenCalledOnce();
    expect(compensations.settle).toHaveBeenCalledTimes(2);
  });

  const failures: [string, ToolDefinition[], object][] = [
    [
      'its tool fails',
      [tool(() => Promise.reject(new Error('no line')))],
      { type: 'compensation_failed', message: 'no line' },
    ],
    ['its tool takes too long', [tool(() => new Promise(() => undefined))], { type: 'timeout' }],
    ['its tool is gone', [], { type: 'tool_not_registered' }],
    ['its tool can not undo it any more', [tool()], { type: 'tool_not_registered' }],
  ];

  it.each(failures)('is tried again when %s, ten times', async (_, tools, failure) => {
    for (const [earlier, nonRetryable] of [
      [0, false],
      [8, false],
      [9, true],
    ] as const) {
      const { outcome, compensations } = undo(tools, { begun: after(earlier), timeoutMs: 100 });
      await expect(outcome).rejects.toMatchObject({ ...failure, nonRetryable });
      expect(compensations.settle).not.toHaveBeenCalled();
    }
  });

  it('is given up when the worker of its tenth attempt has died', async () => {
    const compensate = vi.fn<Compensate>();
    const { outcome, compensations } = undo([tool(compensate)], { begun: after(10) });
    await expect(outcome).rejects.toMatchObject({ type: 'interrupted', nonRetryable: true });
    expect(compensations.begin.mock.calls).toMatchObject([[{ maxAttempts: 10 }]]);
    expect(compensate).not.toHaveBeenCalled();
  });

  it('is left when the compensation is ended from outside; its tool is told', async () => {
    const started = vi.fn<(context: CompensationContext) => void>();
    const { outcome, environment, compensations } = undo([
      tool((_args, _output, context) => {
        started(context);
        return new Promise(() => undefined);
      }),
    ]);
    await vi.waitUntil(() => started.mock.calls.length === 1);
    environment.cancel();
    await expect(outcome).rejects.toBeInstanceOf(CancelledFailure);
    expect(started.mock.calls[0]?.[0].signal.aborted).toBe(true);
    expect(compensations.settle).not.toHaveBeenCalled();
  });

  it('is undone to the end while its worker is going away', async () => {
    let finish: () => void = () => undefined;
    const running = new Promise<void>((resolve) => (finish = resolve));
    const { outcome, environment, compensations } = undo([tool(() => running)]);
    shutDown(environment);
    finish();
    await outcome;
    expect(compensations.settle).toHaveBeenCalledOnce();
  });
});

describe('an effect that could not be undone', () => {
  const failure = { reason: 'timeout', message: 'too long' };
  const input = { ...STEP, effect: { callId: 'c1', name: 'book', timeoutMs: 1 }, ...failure };
  const { tenant, turnId: turn } = TURN;
  const fields = { tenant, turn, step: STEP.step, tool: 'book', ...failure };

  it('is marked so, and operators are told', async () => {
    const { compensations, logger, activities } = setting([]);
    await attemptOf().run(activities.failCompensation, input);
    expect(compensations.begin.mock.calls).toMatchObject([[{ maxAttempts: 0 }]]);
    expect(compensations.settle.mock.calls).toMatchObject([[{ step: STEP.step }, failure]]);
    expect(logger.error).toHaveBeenCalledExactlyOnceWith('effect not undone', fields);
  });

  it('is told again when whoever marked it may have died before it told', async () => {
    const begun: BegunStep = { state: 'settled', status: 'failed', result: null, error: failure };
    const { compensations, logger, activities } = setting([], begun);
    await attemptOf().run(activities.failCompensation, input);
    expect(compensations.settle).not.toHaveBeenCalled();
    expect(logger.error).toHaveBeenCalledExactlyOnceWith('effect not undone', fields);
  });

  it('is left as it is when its last attempt has undone it after all', async () => {
    const { compensations, logger, activities } = setting([], SETTLED);
    await attemptOf().run(activities.failCompensation, input);
    expect(compensations.settle).not.toHaveBeenCalled();
    expect(logger.error).not.toHaveBeenCalled();
  });
});
