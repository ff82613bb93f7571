import { describe, expect, it, vi } from 'vitest';
import {
  SandboxUnavailable,
  type Sandbox,
  type SandboxRequest,
  type SandboxResult,
} from '../../src/contracts/sandbox.ts';
import {
  StepRefused,
  type ActionStore,
  type Appender,
  type CompensationStore,
  type Sealed,
  type SettleResponse,
  type Store,
  type TurnStore,
} from '../../src/contracts/store.ts';
import { meteredPorts } from '../../src/telemetry/metered-ports.ts';
import { meteredSandbox } from '../../src/telemetry/metered-sandbox.ts';
import { countSweep, createMetrics } from '../../src/telemetry/metrics.ts';
import { createTools } from '../../src/tools/registry.ts';
import { appender, context, modelOf, stepStore, TURN } from '../activities/stand-ins.ts';
import { seriesOf } from './series.ts';

const REF = { ...TURN, step: 'respond:1', fence: { scheduledMs: 1, attempt: 1 } };
const DELTA = { type: 'response.output_text.delta', delta: 'Hi' };

const RESPONSE: SettleResponse = {
  ...{ items: [], events: [], toolDefinitions: [], usage: null, summarize: null },
  reply: { kind: 'answer' },
};

const SEALED: Sealed = {
  status: 'completed',
  reason: null,
  won: true,
  durationMs: 2_500,
  abandonedCalls: [],
  interruptedTools: [],
  next: null,
  compensate: null,
  summarize: null,
};

function metered() {
  const metrics = createMetrics();
  const steps = stepStore();
  const turns = { seal: vi.fn<TurnStore['seal']>(async () => SEALED) };
  const events = appender();
  const tools = createTools([
    {
      name: 'add',
      description: 'Adds.',
      parameters: { type: 'object' },
      policy: 'idempotent',
      run: () => 1,
    },
  ]);
  const compensations = {
    begin: vi.fn<CompensationStore['begin']>(async () => ({ state: 'open', earlierAttempts: 0 })),
    settle: vi.fn<CompensationStore['settle']>(async () => undefined),
    abandon: vi.fn<CompensationStore['abandon']>(async () => 2),
    close: vi.fn<CompensationStore['close']>(async () => undefined),
  };
  const actions = { read: vi.fn<ActionStore['read']>() };
  const store = { steps, turns, compensations, actions } as unknown as Store;
  const model = modelOf(async function* () {
    yield DELTA;
  });
  const real: { appender: Appender } = { appender: events };
  const ports = meteredPorts({ ...real, store, model, tools }, metrics);
  return { ports, metrics, steps, turns, events, compensations, actions };
}

async function runTool({ ports }: ReturnType<typeof metered>, name: string): Promise<void> {
  const ref = { ...REF, step: 'tool:c' };
  const outcome = name === 'add' ? 'succeeded' : 'failed';
  const result = { callId: 'c', name, outcome, output: '1', error: null, effect: null } as const;
  await ports.store.steps.settleTool(ref, result);
}

describe('a metered store', () => {
  it('takes the time of the turns it ends, and not of those that others ended', async () => {
    const { ports, metrics, turns } = metered();
    const seal = () => ports.store.turns.seal('t', 'turn-1', { status: 'completed' });
    expect(await seal()).toBe(SEALED);
    turns.seal.mockResolvedValueOnce({ ...SEALED, status: 'failed', durationMs: 500 });
    await seal();
    turns.seal.mockResolvedValueOnce({ ...SEALED, won: false });
    await seal();
    turns.seal.mockResolvedValueOnce(null);
    await seal();
    expect(await seriesOf(metrics, 'turnkeeper_turn')).toMatchObject({
      'turnkeeper_turn_duration_seconds_count{status="completed"}': 1,
      'turnkeeper_turn_duration_seconds_sum{status="completed"}': 2.5,
      'turnkeeper_turn_duration_seconds_count{status="failed"}': 1,
      'turnkeeper_turn_duration_seconds_sum{status="failed"}': 0.5,
      'turnkeeper_turn_duration_seconds_count{status="expired"}': 0,
    });
  });

  it('counts a turn that nobody ended, with the claims that were open in it', async () => {
    const { ports, metrics, turns } = metered();
    const seal = () => ports.store.turns.seal('t', 'turn-1', { status: 'cancelled' });
    await seal();
    turns.seal.mockResolvedValueOnce({
      ...SEALED,
      status: 'failed',
      reason: 'workflow_lost',
      abandonedCalls: [{ callId: 'x', model: 'o1', background: false, responseId: null }],
      interruptedTools: [{ step: 'tool:c', name: 'add', policy: 'idempotent' }],
    });
    await seal();
    turns.seal.mockResolvedValueOnce({ ...SEALED, reason: 'workflow_lost', won: false });
    await seal();
    expect(await seriesOf(metrics, 'turnkeeper_reconciled')).toMatchObject({
      'turnkeeper_reconciled_total{kind="lost_turns"}': 1,
      'turnkeeper_reconciled_total{kind="expired_claims"}': 2,
    });
  });

  it('counts calls that turns wait for, and once what became of them', async () => {
    const { ports, metrics, actions } = metered();
    const asked = { callId: 'a', name: 'add', kind: 'approval' as const, arguments: {} };
    const waiting = { actions: [asked, { ...asked, callId: 'b' }], timeoutMs: 1_000 };
    await ports.store.steps.settleResponse(REF, { ...RESPONSE, waiting });
    await ports.store.steps.settleResponse(REF, RESPONSE);
    const read = async (b: 'pending' | 'denied', waitMs: number | null) => {
      const states = { a: 'approved', b } as const;
      actions.read.mockResolvedValueOnce({ states, waitMs, timeLeftMs: 5 });
      await ports.store.actions.read('t', 'turn-1', ['a', 'b']);
    };
    await read('pending', 500);
    await read('denied', null);
    await read('pending', 0);
    expect(await seriesOf(metrics, 'turnkeeper_actions')).toEqual({
      'turnkeeper_actions_requested_total{kind="outputs"}': 0,
      'turnkeeper_actions_requested_total{kind="approval"}': 2,
      'turnkeeper_actions_decided_total{outcome="answered"}': 0,
      'turnkeeper_actions_decided_total{outcome="approved"}': 2,
      'turnkeeper_actions_decided_total{outcome="denied"}': 1,
      'turnkeeper_actions_decided_total{outcome="expired"}': 1,
    });
  });

  it('counts retries and the calls that were given up', async () => {
    const { ports, metrics, steps, turns } = metered();
    const call = { model: 'o1', inputTokens: 1 };
    await ports.store.steps.recordIntent(REF, call);
    steps.recordIntent.mockResolvedValueOnce({
      callId: 'x',
      failedCalls: 1,
      abandonedCalls: 0,
      orphans: 0,
    });
    await ports.store.steps.recordIntent(REF, call);
    steps.recordIntent.mockResolvedValueOnce({
      callId: 'x',
      failedCalls: 1,
      abandonedCalls: 1,
      orphans: 1,
    });
    await ports.store.steps.recordIntent(REF, call);
    turns.seal.mockResolvedValueOnce({
      ...SEALED,
      abandonedCalls: [
        { callId: 'x', model: 'o1', background: true, responseId: 'resp_1' },
        { callId: 'y', model: 'o3', background: true, responseId: null },
      ],
    });
    await ports.store.turns.seal('t', 'turn-1', { status: 'cancelled' });
    expect(await seriesOf(metrics, 'turnkeeper_model')).toMatchObject({
      'turnkeeper_model_retries_total{model="o1"}': 2,
      'turnkeeper_model_abandoned_calls_total{model="o1"}': 2,
      'turnkeeper_model_abandoned_calls_total{model="o3"}': 1,
      'turnkeeper_model_orphans_total{model="o1"}': 1,
      'turnkeeper_model_orphans_total{model="o3"}': 1,
    });
  });

  it('counts replies that came to nothing by a mistake of its own', async () => {
    const { ports, metrics } = metered();
    for (const error of ['internal_error', 'timeout']) {
      const failed = { requestId: null, error, refused: false };
      await ports.store.steps.recordFailedCall(REF, 'call', failed);
    }
    expect(await seriesOf(metrics, 'turnkeeper_model_internal')).toEqual({
      turnkeeper_model_internal_errors_total: 1,
    });
  });

  it('counts a fallback once, however many attempts it takes', async () => {
    const { ports, metrics, steps } = metered();
    const respond = { ...REF, after: [] as string[], kind: 'respond', model: 'o3' } as const;
    const follows = { step: 'respond:1', reason: 'timeout' };
    await ports.store.steps.begin({ ...respond, follows: null });
    await ports.store.steps.begin({ ...respond, follows });
    steps.begin.mockResolvedValueOnce({ state: 'open', earlierAttempts: 1 });
    await ports.store.steps.begin({ ...respond, follows });
    await ports.store.steps.begin({ ...respond, model: null, follows });
    expect(await seriesOf(metrics, 'turnkeeper_model_fallbacks')).toEqual({
      'turnkeeper_model_fallbacks_total{to="model"}': 1,
      'turnkeeper_model_fallbacks_total{to="answer"}': 1,
    });
  });

  it('counts outcomes of tools by names that the worker knows, and of no others', async () => {
    const parts = metered();
    for (const name of ['add', 'add', 'rm -rf', 'x"} 1\nfake{y="', 'constructor'])
      await runTool(parts, name);
    expect(await seriesOf(parts.metrics, 'turnkeeper_tool')).toEqual({
      'turnkeeper_tool_calls_total{tool="add",outcome="succeeded"}': 2,
      'turnkeeper_tool_calls_total{tool="other",outcome="failed"}': 3,
    });
  });

  it('counts a tool whose outcome could not be stored when it is, and then once', async () => {
    const parts = metered();
    parts.steps.settleTool.mockRejectedValueOnce(new Error('away'));
    await expect(runTool(parts, 'add')).rejects.toThrow('away');
    expect(await seriesOf(parts.metrics, 'turnkeeper_tool')).toEqual({});
    await runTool(parts, 'add');
    expect(Object.values(await seriesOf(parts.metrics, 'turnkeeper_tool'))).toEqual([1]);
  });

  it('counts tool calls that were under way when it ended their turn, as unknown and once', async () => {
    const { ports, metrics, turns } = metered();
    const interruptedTools = ['add', 'gone'].map(
      (name) => ({ step: `tool:${name}`, name, policy: 'at-most-once' }) as const,
    );
    for (const won of [true, false]) {
      turns.seal.mockResolvedValueOnce({ ...SEALED, won, interruptedTools });
      await ports.store.turns.seal('t', 'turn-1', { status: 'cancelled' });
    }
    expect(await seriesOf(metrics, 'turnkeeper_tool')).toEqual({
      'turnkeeper_tool_calls_total{tool="add",outcome="unknown"}': 1,
      'turnkeeper_tool_calls_total{tool="other",outcome="unknown"}': 1,
    });
  });

  it('counts effects that were undone, and at least once those that were not', async () => {
    const { ports, metrics, compensations } = metered();
    const ref = { ...REF, step: 'compensate:c' };
    const failed = { reason: 'timeout', message: 'Too long.' };
    const begin = () => ports.store.compensations.begin({ ...ref, after: [], callId: 'c' });
    await begin();
    await ports.store.compensations.settle(ref, null);
    compensations.settle.mockRejectedValueOnce(new Error('the answer was lost'));
    await expect(ports.store.compensations.settle(ref, failed)).rejects.toThrow('lost');
    const settled = { state: 'settled', result: null } as const;
    compensations.begin.mockResolvedValueOnce({ ...settled, status: 'failed', error: failed });
    await begin();
    compensations.begin.mockResolvedValueOnce({ ...settled, status: 'completed', error: null });
    await begin();
    await ports.store.compensations.abandon('t', 'turn-1', failed);
    expect(await seriesOf(metrics, 'turnkeeper_compensations')).toEqual({
      'turnkeeper_compensations_total{outcome="undone"}': 1,
      'turnkeeper_compensations_total{outcome="failed"}': 1,
      'turnkeeper_compensations_total{outcome="lost"}': 2,
    });
  });

  it('counts what it refused by reason, and no other failure', async () => {
    const { ports, metrics, steps, compensations } = metered();
    const fenced = new StepRefused('step_fenced', 'Too late.');
    steps.settleTool.mockRejectedValueOnce(fenced);
    const call = {
      callId: 'c',
      name: 'add',
      outcome: 'failed',
      output: '',
      error: null,
      effect: null,
    } as const;
    await expect(ports.store.steps.settleTool(REF, call)).rejects.toBe(fenced);
    steps.begin.mockRejectedValueOnce(new StepRefused('turn_sealed', 'Over.'));
    const begin = { ...REF, after: [] as string[], kind: 'retrieve' } as const;
    await expect(ports.store.steps.begin(begin)).rejects.toThrow('Over.');
    compensations.close.mockRejectedValueOnce(fenced);
    await expect(ports.store.compensations.close('t', 'turn-1')).rejects.toBe(fenced);
    steps.begin.mockRejectedValueOnce(new Error('away'));
    await expect(ports.store.steps.begin(begin)).rejects.toThrow('away');
    expect(await seriesOf(metrics, 'turnkeeper_fence')).toEqual({
      'turnkeeper_fence_refusals_total{reason="step_fenced"}': 2,
      'turnkeeper_fence_refusals_total{reason="turn_sealed"}': 1,
      'turnkeeper_fence_refusals_total{reason="turn_not_found"}': 0,
      'turnkeeper_fence_refusals_total{reason="store_rolled_back"}': 0,
    });
  });
});

describe('a metered appender', () => {
  const TTFT = 'turnkeeper_time_to_first_token_seconds';

  it('takes the time from accept to the first text, once', async () => {
    const { ports, metrics, steps, events } = metered();
    steps.loadContext.mockResolvedValueOnce(context({}, { ageMs: 60_000 }));
    await ports.store.steps.loadContext(REF);
    ports.appender.append(REF, { type: 'response.created' });
    expect((await seriesOf(metrics, TTFT))[`${TTFT}_count`]).toBe(0);
    ports.appender.append(REF, DELTA);
    ports.appender.append(REF, DELTA);
    const series = await seriesOf(metrics, TTFT);
    expect(series[`${TTFT}_count`]).toBe(1);
    expect(series[`${TTFT}_sum`]).toBeGreaterThanOrEqual(60);
    expect(series[`${TTFT}_sum`]).toBeLessThan(120);
    expect(events.appended).toHaveLength(3);
  });

  it('leaves later answers of the turn alone', async () => {
    const { ports, metrics, steps } = metered();
    const item = { type: 'message', role: 'assistant', content: [] };
    const answered = { position: 2, turnId: TURN.turnId, item, createdAt: new Date() };
    steps.loadContext.mockResolvedValueOnce(context({}, { items: [answered] }));
    await ports.store.steps.loadContext(REF);
    ports.appender.append(REF, DELTA);
    expect((await seriesOf(metrics, TTFT))[`${TTFT}_count`]).toBe(0);
  });

  it('counts a step that it learns it has lost, once', async () => {
    const { ports, metrics, events } = metered();
    const signals = [ports.appender.lost(REF), ports.appender.lost(REF)];
    events.lose(new StepRefused('step_fenced', 'Too late.'));
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
    expect(await seriesOf(metrics, 'turnkeeper_fence')).toMatchObject({
      'turnkeeper_fence_refusals_total{reason="step_fenced"}': 1,
    });
  });
});

describe('a metered sandbox', () => {
  it('takes the time of runs, and counts those that came to nothing', async () => {
    const metrics = createMetrics();
    const result = { limit: null, durationMs: 1_500 } as SandboxResult;
    const run = vi.fn<Sandbox['run']>(async () => result);
    const sandbox = meteredSandbox({ kind: 'docker', run } as unknown as Sandbox, metrics);
    const request: SandboxRequest = {
      key: 'k',
      language: 'bash',
      code: '',
      files: [],
      timeoutMs: 1,
    };
    const { signal } = new AbortController();
    expect(await sandbox.run(request, { signal })).toBe(result);
    run.mockResolvedValueOnce({ ...result, limit: 'memory', durationMs: 200 });
    await sandbox.run(request, { signal });
    run.mockRejectedValueOnce(new SandboxUnavailable('engine_lost', 'Gone.'));
    await expect(sandbox.run(request, { signal })).rejects.toThrow('Gone.');
    expect(await seriesOf(metrics, 'turnkeeper_sandbox')).toEqual({
      'turnkeeper_sandbox_duration_seconds_count{backend="docker",limit="none"}': 1,
      'turnkeeper_sandbox_duration_seconds_sum{backend="docker",limit="none"}': 1.5,
      'turnkeeper_sandbox_duration_seconds_count{backend="docker",limit="memory"}': 1,
      'turnkeeper_sandbox_duration_seconds_sum{backend="docker",limit="memory"}': 0.2,
      'turnkeeper_sandbox_failures_total{backend="docker",reason="engine_lost"}': 1,
    });
  });
});

it('counts what sweeps did, by name', async () => {
  const metrics = createMetrics();
  countSweep(metrics, { started: 2, followUps: 1, failed: 0 });
  countSweep(metrics, { started: 1, followUps: 0, failed: 0 });
  expect(await seriesOf(metrics, 'turnkeeper_sweep')).toEqual({
    'turnkeeper_sweep_actions_total{action="started"}': 3,
    'turnkeeper_sweep_actions_total{action="follow_ups"}': 1,
    'turnkeeper_sweep_actions_total{action="failed"}': 0,
  });
});
