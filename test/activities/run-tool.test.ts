import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import { createRunTool } from '../../src/activities/run-tool.ts';
import { StepRefused, StoreUnavailable, type BegunStep } from '../../src/contracts/store.ts';
import { ToolUnavailable } from '../../src/contracts/tools.ts';
import type { ToolContext, ToolDefinition } from '../../src/contracts/tools.ts';
import type { ToolPolicy } from '../../src/contracts/turn.ts';
import { attemptOf, ports, shutDown, silent, stepStore, TURN } from './stand-ins.ts';

const FIRST: BegunStep = { state: 'open', earlierAttempts: 0 };
const SECOND: BegunStep = { state: 'open', earlierAttempts: 1 };

function tool(more: Partial<ToolDefinition>): ToolDefinition {
  return {
    name: 'tool',
    description: 'Does something.',
    parameters: { type: 'object' },
    policy: 'idempotent',
    run: () => 'done',
    ...more,
  };
}

function run(
  definition: ToolDefinition,
  {
    begun = FIRST,
    environment = attemptOf(),
    steps = stepStore(begun),
    warn = vi.fn(),
    called = definition.name,
  } = {},
) {
  const logger = { ...silent, warn };
  const runTool = createRunTool(ports({ steps, tools: [definition], logger }));
  const { policy, timeoutMs = 5_000 } = definition;
  const call = { callId: 'c1', name: called, policy, timeoutMs };
  const input = { ...TURN, step: 'tool:c1', after: ['respond:1'], call };
  const settled = () => steps.settleTool.mock.calls.at(-1)?.[1];
  return { outcome: environment.run(runTool, input), environment, steps, settled, warn };
}

describe('a tool call that an earlier attempt began and did not settle', () => {
  it('is run again under the same key when the tool is idempotent', async () => {
    const keys: string[] = [];
    const definition = tool({ run: (_, { key }) => keys.push(key) });
    await run(definition).outcome;
    await expect(run(definition, { begun: SECOND }).outcome).resolves.toEqual({
      outcome: 'succeeded',
    });
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
  });

  it('is unknown when the tool throws now: an attempt before may have taken effect', async () => {
    const definition = tool({ run: () => Promise.reject(new Error('provider timeout')) });
    const { outcome, settled } = run(definition, { begun: SECOND });
    await expect(outcome).resolves.toEqual({ outcome: 'unknown' });
    const message =
      'An earlier attempt of tool may have taken effect. The last one failed: provider timeout';
    expect(JSON.parse(settled()?.output ?? '')).toEqual({
      error: { type: 'outcome_unknown', message },
    });
    expect(settled()).toMatchObject({
      effect: null,
      error: { reason: 'outcome_unknown', message },
    });
  });

  it('is unknown when no worker has the tool any more', async () => {
    const environment = attemptOf({ scheduledTimestampMs: Date.now() - 60_000 });
    const gone = run(tool({ name: 'other' }), { begun: SECOND, environment, called: 'tool' });
    await expect(gone.outcome).resolves.toEqual({ outcome: 'unknown' });
  });

  it('waits a minute for a worker that has the tool', async () => {
    const environment = attemptOf({
      attempt: 40,
      scheduledTimestampMs: Date.now() - 50_000,
      scheduleToCloseTimeoutMs: 600_000,
    });
    const gone = run(tool({ name: 'other' }), { begun: SECOND, environment, called: 'tool' });
    await expect(gone.outcome).rejects.toMatchObject({ type: 'tool_not_registered' });
    expect(gone.settled()).toBeUndefined();
  });

  it('is not run again when the tool runs at most once: the model is told that nobody knows', async () => {
    const started = vi.fn(() => 'done');
    const { outcome, settled } = run(tool({ policy: 'at-most-once', run: started }), {
      begun: SECOND,
    });
    await expect(outcome).resolves.toEqual({ outcome: 'unknown' });
    expect(started).not.toHaveBeenCalled();
    expect(JSON.parse(settled()?.output ?? '')).toMatchObject({
      error: { type: 'outcome_unknown' },
    });
  });

  const reconcilable = (reconcile: NonNullable<ToolDefinition['reconcile']>) => {
    const started = vi.fn(() => 'ran');
    return { started, definition: tool({ policy: 'reconcilable', run: started, reconcile }) };
  };

  it('is looked up when the tool can: what was done is told, and not done again', async () => {
    const { definition, started } = reconcilable(async (_, { key }) => ({
      state: 'done',
      output: { key },
    }));
    const { outcome, settled } = run(definition, { begun: SECOND });
    await expect(outcome).resolves.toEqual({ outcome: 'succeeded' });
    expect(settled()?.output).toBe(JSON.stringify({ key: `${TURN.turnId}:tool:c1` }));
    expect(started).not.toHaveBeenCalled();
  });

  it('is run when the tool finds that it never began', async () => {
    const { definition, started } = reconcilable(async () => ({ state: 'not_started' }));
    const { outcome, settled } = run(definition, { begun: SECOND });
    await expect(outcome).resolves.toEqual({ outcome: 'succeeded' });
    expect(settled()?.output).toBe('ran');
    expect(started).toHaveBeenCalledOnce();
  });

  it('has failed when the tool finds that it never began, and throws now', async () => {
    const { definition, started } = reconcilable(async () => ({ state: 'not_started' }));
    started.mockImplementation(() => {
      throw new Error('sold out');
    });
    const { outcome, settled } = run(definition, { begun: SECOND });
    await expect(outcome).resolves.toEqual({ outcome: 'failed' });
    expect(JSON.parse(settled()?.output ?? '')).toEqual({
      error: { type: 'tool_error', message: 'sold out' },
    });
  });

  it.each<[string, NonNullable<ToolDefinition['reconcile']>]>([
    ['does not know', async () => ({ state: 'unknown' })],
    ['fails to look it up', () => Promise.reject(new Error('no connection'))],
    ['takes too long to look it up', () => new Promise(() => undefined)],
  ])('is left alone when the tool %s', async (_, reconcile) => {
    const { definition, started } = reconcilable(reconcile);
    const { outcome } = run({ ...definition, timeoutMs: 100 }, { begun: SECOND });
    await expect(outcome).resolves.toEqual({ outcome: 'unknown' });
    expect(started).not.toHaveBeenCalled();
  });

  it.each<ToolPolicy>(['idempotent', 'at-most-once', 'reconcilable'])(
    'is run by a first attempt whatever the policy (%s)',
    async (policy) => {
      const reconcile = async () => ({ state: 'unknown' }) as const;
      await expect(run(tool({ policy, reconcile })).outcome).resolves.toEqual({
        outcome: 'succeeded',
      });
    },
  );
});

describe('a tool call that was settled', () => {
  it('hands back what it came to, and starts nothing', async () => {
    const started = vi.fn(() => 'done');
    const begun: BegunStep = {
      state: 'settled',
      status: 'completed',
      result: { outcome: 'succeeded' },
      error: null,
    };
    const { outcome, settled } = run(tool({ run: started }), { begun });
    await expect(outcome).resolves.toEqual({ outcome: 'succeeded' });
    expect(started).not.toHaveBeenCalled();
    expect(settled()).toBeUndefined();
  });
});

describe('what a tool is given', () => {
  const turn = { ...TURN, conversationId: 'conversation-1', endUser: 'user-7' };

  it.each(['run', 'reconcile'] as const)(
    'is, beside its arguments, key, signal, progress and turn, and nothing else: %s',
    async (method) => {
      const given: ToolContext[] = [];
      const take = (_: unknown, context: ToolContext) => {
        given.push(context);
        return Promise.resolve({ state: 'done', output: null } as const);
      };
      const definition = tool({ policy: 'reconcilable', reconcile: take, run: take });
      await run(definition, { begun: method === 'run' ? FIRST : SECOND }).outcome;
      expect(given).toEqual([
        {
          key: 'turn-1:tool:c1',
          signal: expect.any(AbortSignal) as AbortSignal,
          progress: expect.any(Function) as () => void,
          turn,
        },
      ]);
    },
  );
});

describe('a tool call whose effect may have to be undone', () => {
  const compensate = () => undefined;

  it.each([
    [true, false, { compensate }],
    [true, true, { compensate, compensateUnknown: true }],
    [false, false, {}],
  ])('is claimed with what is known then: %s, %s', async (compensable, compensateUnknown, more) => {
    const { outcome, steps } = run(tool({ ...more, timeoutMs: 1_234 }));
    await outcome;
    const undo = { compensable, compensateUnknown };
    const claim = { kind: 'tool', name: 'tool', ...undo, timeoutMs: 1_234 };
    expect(steps.claim.mock.calls).toMatchObject([[claim]]);
  });

  const shape = { type: 'object', required: ['id'] };
  const returns: [string, Partial<ToolDefinition>, object | null][] = [
    ['succeeded', { run: () => '{"id":7}' }, { returned: '{"id":7}' }],
    ['returned another shape', { output: shape, run: () => ({ no: 7 }) }, { returned: { no: 7 } }],
    ['returned too much', { run: () => 'x'.repeat(262_145) }, { returned: null }],
    ['returned no JSON', { run: () => (() => 1) as never }, { returned: null }],
    ['threw', { run: () => Promise.reject(new Error('no')) }, null],
    ['was called wrongly', { parameters: { ...shape, required: ['x'] } }, null],
    ['timed out', { timeoutMs: 50, run: () => new Promise(() => undefined) }, null],
  ];

  it.each(returns)('keeps what is to be undone of one that %s', async (_, more, effect) => {
    const { outcome, settled } = run(tool(more));
    await outcome;
    expect(settled()?.effect).toEqual(effect);
  });

  it('tells the workflow nothing of what was returned', async () => {
    const result = { outcome: 'succeeded', returned: { secret: 1 } };
    const begun: BegunStep = { state: 'settled', status: 'completed', result, error: null };
    await expect(run(tool({}), { begun }).outcome).resolves.toEqual({ outcome: 'succeeded' });
  });
});

describe('a tool that runs', () => {
  it('is stopped when its time is up, also after a garbage collection', async () => {
    const signals: AbortSignal[] = [];
    const endless = tool({
      timeoutMs: 300,
      run(_, { signal }) {
        signal.addEventListener('abort', () => signals.push(signal));
        setImmediate(collectGarbage);
        return new Promise(() => undefined);
      },
    });
    const { outcome, settled } = run(endless);
    await expect(outcome).resolves.toEqual({ outcome: 'unknown' });
    expect(signals).toMatchObject([{ reason: { name: 'TimeoutError' } }]);
    expect(JSON.parse(settled()?.output ?? '')).toMatchObject({ error: { type: 'timeout' } });
  });

  it('is told when the turn is cancelled; nothing is settled, for the turn has ended', async () => {
    const started = vi.fn<(context: ToolContext) => void>();
    const { outcome, environment, settled } = run(
      tool({
        run(_, context) {
          started(context);
          return new Promise(() => undefined);
        },
      }),
    );
    await vi.waitUntil(() => started.mock.calls.length === 1);
    environment.cancel();
    await expect(outcome).rejects.toBeInstanceOf(CancelledFailure);
    expect(started.mock.calls[0]?.[0].signal.aborted).toBe(true);
    expect(settled()).toBeUndefined();
  });

  it('comes to its end while its worker is going away', async () => {
    let finish: (value: string) => void = () => undefined;
    const running = new Promise<string>((resolve) => (finish = resolve));
    const { outcome, environment, settled } = run(tool({ run: () => running }));
    shutDown(environment);
    finish('done');
    await expect(outcome).resolves.toEqual({ outcome: 'succeeded' });
    expect(settled()?.output).toBe('done');
  });

  it('is not run again because the database was away when its result was to be stored', async () => {
    const started = vi.fn(() => 'done');
    const steps = stepStore();
    steps.settleTool.mockRejectedValueOnce(new StoreUnavailable(new Error('connection lost')));
    await expect(run(tool({ run: started }), { steps }).outcome).resolves.toEqual({
      outcome: 'succeeded',
    });
    expect(started).toHaveBeenCalledOnce();
    expect(steps.settleTool).toHaveBeenCalledTimes(2);
  });

  it('has failed when it throws what has no words', async () => {
    const wordless = () => Promise.reject(Object.create(null) as Error);
    const { outcome, settled } = run(tool({ run: wordless }));
    await expect(outcome).resolves.toEqual({ outcome: 'failed' });
    expect(settled()?.error?.reason).toBe('tool_error');
  });

  it('whose step was taken over meanwhile fails retryably', async () => {
    const steps = stepStore();
    steps.settleTool.mockRejectedValue(
      new StepRefused('step_fenced', 'Attempt 1 has lost its step.'),
    );
    const failure = await run(tool({}), { steps }).outcome.catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({ type: 'step_fenced', nonRetryable: false });
  });
});

describe('a tool that says its engine is away', () => {
  const cause = new Error('Run docker/sandbox/build.sh.');
  const away = (retryable: boolean, policy: ToolPolicy = 'idempotent') => {
    const error = new ToolUnavailable('No sandbox.', { retryable, cause });
    return tool({ policy, run: () => Promise.reject(error) });
  };

  it('is tried again, and nothing is settled meanwhile', async () => {
    const begun: BegunStep = { state: 'open', earlierAttempts: 8 };
    const { outcome, settled } = run(away(true), { begun });
    const failure = await outcome.catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({
      type: 'unavailable',
      nonRetryable: false,
      message: cause.message,
    });
    expect(settled()).toBeUndefined();
  });

  const doubt = 'An earlier attempt of tool may have taken effect. The last one failed: ';

  it.each<[string, ToolDefinition, number, { outcome: string; told: string }]>([
    ['it has been tried ten times', away(true), 9, { outcome: 'unknown', told: doubt }],
    ['another attempt would be no better', away(false), 0, { outcome: 'failed', told: '' }],
    ['it may be started once only', away(true, 'at-most-once'), 0, { outcome: 'failed', told: '' }],
  ])('is told to the model when %s; why is told to operators', async (...given) => {
    const [, definition, earlierAttempts, { outcome: expected, told }] = given;
    const begun: BegunStep = { state: 'open', earlierAttempts };
    const { outcome, settled, warn } = run(definition, { begun });
    await expect(outcome).resolves.toEqual({ outcome: expected });
    expect(JSON.parse(settled()?.output ?? '')).toEqual({
      error: { type: 'tool_unavailable', message: `${told}No sandbox.` },
    });
    expect(settled()?.error).toEqual({ reason: 'tool_unavailable', message: cause.message });
    const fields = { tool: 'tool', error: cause.message };
    expect(warn).toHaveBeenCalledWith('tool unavailable', expect.objectContaining(fields));
  });

  it('is tried again also when it cannot look up what became of an earlier attempt', async () => {
    const reconcile = () =>
      Promise.reject(new ToolUnavailable('No connection.', { retryable: true }));
    const definition = tool({ policy: 'reconcilable', reconcile });
    await expect(run(definition, { begun: SECOND }).outcome).rejects.toMatchObject({
      type: 'unavailable',
      nonRetryable: false,
    });
  });
});

describe('a tool that keeps something for a retry', () => {
  it('is told when the outcome of the call is stored', async () => {
    const steps = stepStore();
    const settled = vi.fn<NonNullable<ToolDefinition['settled']>>();
    await run(tool({ settled }), { steps }).outcome;
    expect(settled).toHaveBeenCalledExactlyOnceWith({ key: `${TURN.turnId}:tool:c1` });
    expect(settled.mock.invocationCallOrder[0]).toBeGreaterThan(
      steps.settleTool.mock.invocationCallOrder[0] ?? Infinity,
    );
  });

  it('is not told while another attempt may need it', async () => {
    const steps = stepStore();
    steps.settleTool.mockRejectedValue(new StepRefused('step_fenced', 'Lost its step.'));
    const settled = vi.fn<NonNullable<ToolDefinition['settled']>>();
    await run(tool({ settled }), { steps }).outcome.catch(() => undefined);
    expect(settled).not.toHaveBeenCalled();
  });

  it('and does not let go of it, is logged: the outcome stands', async () => {
    const settled = () => Promise.reject(new Error('no connection'));
    const { outcome, warn } = run(tool({ settled }));
    await expect(outcome).resolves.toEqual({ outcome: 'succeeded' });
    await vi.waitFor(() =>
      expect(warn).toHaveBeenCalledWith(
        'tool did not let go',
        expect.objectContaining({ tool: 'tool', error: 'no connection' }),
      ),
    );
  });
});

describe('what a tool returns', () => {
  it.each<[string, unknown, string]>([
    ['text is told as it is', 'It is "here".', 'It is "here".'],
    ['anything else as JSON', { a: [1, null] }, '{"a":[1,null]}'],
    ['nothing as null', undefined, 'null'],
    ['a date as JSON has it', new Date(0), '1970-01-01T00:00:00.000Z'],
  ])('%s', async (_, returned, output) => {
    const { outcome, settled } = run(tool({ run: () => returned as string }));
    await expect(outcome).resolves.toEqual({ outcome: 'succeeded' });
    expect(settled()?.output).toBe(output);
  });

  const circular: Record<string, unknown> = {};
  circular['self'] = circular;

  it.each<[string, unknown]>([
    ['refers to itself', circular],
    ['has a big integer', { count: 1n }],
    ['is a function', () => undefined],
    ['is longer than a model can read', 'x'.repeat(262_145)],
    ['is nested without end', JSON.parse(nested(5_000))],
  ])('is a mistake the model is told of when it %s', async (_, returned) => {
    const { outcome, settled } = run(tool({ run: () => returned as string }));
    await expect(outcome).resolves.toEqual({ outcome: 'failed' });
    expect(JSON.parse(settled()?.output ?? '')).toMatchObject({
      error: { type: 'invalid_output' },
    });
  });
});

function nested(levels: number): string {
  return `${'['.repeat(levels)}${']'.repeat(levels)}`;
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}
