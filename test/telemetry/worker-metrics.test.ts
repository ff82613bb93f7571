import { describe, expect, it, vi } from 'vitest';
import { RECONCILED } from '../../src/contracts/reconciled.ts';
import type { Store, Turn } from '../../src/contracts/store.ts';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { freePorts } from '../../src/dev/ports.ts';
import { useWorld } from '../support/use-world.ts';
import {
  answer,
  heldAnswer,
  newTalk,
  REAL_USAGE,
  resultOf,
  say,
  SOON,
  untilShown,
} from '../support/talk.ts';
import type { TestWorker, World } from '../support/world.ts';
import { readSeries, type Series } from './series.ts';

const HOSTILE_TOOL = 'add"} 1\nturnkeeper_fake_total{x="';
let port = 0;
let worker: TestWorker;

const world = useWorld({
  prepare: async (opened) => {
    [port = 0] = await freePorts(1);
    worker = await startMetered(opened);
  },
});

function startMetered(opened: World): Promise<TestWorker> {
  return opened.startWorker({ env: { TURNKEEPER_METRICS_PORT: String(port) } });
}

const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
const scrape = async () => (await get('/metrics')).text();

/** What is counted, without what depends on the clock. */
async function counts(): Promise<Series> {
  const series = Object.entries(readSeries(await scrape()));
  const exact = series.filter(([name]) => !/_seconds_sum|_sweep_/.test(name));
  return Object.fromEntries(exact);
}

/** Ends a turn as somebody else may: past the worker that works on it. */
async function sealBehind({ id }: Turn): Promise<void> {
  let store: Store | undefined;
  await world().client((real) => {
    store = real.store;
    return real;
  });
  await store?.turns.seal('default', id, { status: 'cancelled' });
}

async function complete(opened: World, setup: TurnSetup): Promise<Turn> {
  const talk = await newTalk(opened, setup.assistant);
  await opened.offline.script(setup.script);
  const { turn, status } = await resultOf(opened, await say(opened, talk));
  expect(status).toBe('completed');
  return turn;
}

interface TurnSetup {
  assistant: { model: string; tools?: string[]; fallbackModel?: string };
  script: ScriptStep[];
}

/** Answers at once. */
const PLAIN: TurnSetup = { assistant: { model: 'o1' }, script: [answer('Yes.')] };

/** Calls a tool that works, one that fails, and one that is not there; then answers. */
const WITH_TOOLS: TurnSetup = {
  assistant: { model: 'o1', tools: ['add', 'throw_error'] },
  script: [
    {
      kind: 'calls',
      calls: [
        { name: 'add', arguments: { a: 1, b: 2 } },
        { name: 'throw_error', arguments: {} },
        { name: HOSTILE_TOOL, arguments: {} },
      ],
      text: 'Let me see.',
      usage: { ...REAL_USAGE, cachedTokens: 1_000, reasoningTokens: 200 },
    },
    answer('Three.'),
  ],
};

/** The first model fails, fails again for good, and another one answers. */
const WITH_FALLBACK: TurnSetup = {
  assistant: { model: 'home-grown', fallbackModel: 'gpt-5-codex' },
  script: [
    { kind: 'error', status: 500, when: { model: 'home-grown' } },
    { kind: 'error', status: 400, when: { model: 'home-grown' } },
    answer('At last.'),
  ],
};

const DOLLARS = {
  plain: (4_321 * 15 + 1_234 * 60) / 1e6,
  fallback: (4_321 * 1.25 + 1_234 * 10) / 1e6,
  cached: (3_321 * 15 + 1_000 * 7.5 + 1_234 * 60) / 1e6,
};

const EXPECTED: Series = {
  'turnkeeper_turn_duration_seconds_count{status="completed"}': 3,
  'turnkeeper_turn_duration_seconds_count{status="incomplete"}': 0,
  'turnkeeper_turn_duration_seconds_count{status="failed"}': 0,
  'turnkeeper_turn_duration_seconds_count{status="cancelled"}': 0,
  'turnkeeper_turn_duration_seconds_count{status="expired"}': 0,
  turnkeeper_time_to_first_token_seconds_count: 3,
  'turnkeeper_model_calls_total{model="o1",outcome="completed"}': 3,
  'turnkeeper_model_calls_total{model="home-grown",outcome="server_error"}': 1,
  'turnkeeper_model_calls_total{model="home-grown",outcome="invalid_request"}': 1,
  'turnkeeper_model_calls_total{model="gpt-5-codex",outcome="completed"}': 1,
  'turnkeeper_model_tokens_total{model="o1",kind="input"}': 3 * 4_321 - 1_000,
  'turnkeeper_model_tokens_total{model="o1",kind="cached_input"}': 1_000,
  'turnkeeper_model_tokens_total{model="o1",kind="output"}': 3 * 1_234 - 200,
  'turnkeeper_model_tokens_total{model="o1",kind="reasoning"}': 200,
  'turnkeeper_model_tokens_total{model="gpt-5-codex",kind="input"}': 4_321,
  'turnkeeper_model_tokens_total{model="gpt-5-codex",kind="cached_input"}': 0,
  'turnkeeper_model_tokens_total{model="gpt-5-codex",kind="output"}': 1_234,
  'turnkeeper_model_tokens_total{model="gpt-5-codex",kind="reasoning"}': 0,
  'turnkeeper_model_cost_dollars_total{model="o1"}': DOLLARS.plain + DOLLARS.cached + DOLLARS.plain,
  'turnkeeper_model_cost_dollars_total{model="gpt-5-codex"}': DOLLARS.fallback,
  'turnkeeper_model_orphans_total{model="o1"}': 0,
  'turnkeeper_model_orphans_total{model="home-grown"}': 0,
  'turnkeeper_model_orphans_total{model="gpt-5-codex"}': 0,
  'turnkeeper_model_retries_total{model="o1"}': 0,
  'turnkeeper_model_retries_total{model="home-grown"}': 1,
  'turnkeeper_model_retries_total{model="gpt-5-codex"}': 0,
  'turnkeeper_model_abandoned_calls_total{model="o1"}': 0,
  'turnkeeper_model_abandoned_calls_total{model="home-grown"}': 0,
  'turnkeeper_model_abandoned_calls_total{model="gpt-5-codex"}': 0,
  turnkeeper_model_internal_errors_total: 0,
  'turnkeeper_model_fallbacks_total{to="model"}': 1,
  'turnkeeper_model_fallbacks_total{to="answer"}': 0,
  'turnkeeper_tool_calls_total{tool="add",outcome="succeeded"}': 1,
  'turnkeeper_tool_calls_total{tool="throw_error",outcome="failed"}': 1,
  'turnkeeper_tool_calls_total{tool="other",outcome="failed"}': 1,
  'turnkeeper_actions_requested_total{kind="outputs"}': 0,
  'turnkeeper_actions_requested_total{kind="approval"}': 0,
  'turnkeeper_actions_decided_total{outcome="answered"}': 0,
  'turnkeeper_actions_decided_total{outcome="approved"}': 0,
  'turnkeeper_actions_decided_total{outcome="denied"}': 0,
  'turnkeeper_actions_decided_total{outcome="expired"}': 0,
  'turnkeeper_compensations_total{outcome="undone"}': 0,
  'turnkeeper_compensations_total{outcome="failed"}': 0,
  'turnkeeper_compensations_total{outcome="lost"}': 0,
  ...Object.fromEntries(
    RECONCILED.map((kind) => [`turnkeeper_reconciled_total{kind="${kind}"}`, 0]),
  ),
  'turnkeeper_fence_refusals_total{reason="turn_sealed"}': 0,
  'turnkeeper_fence_refusals_total{reason="turn_not_found"}': 0,
  'turnkeeper_fence_refusals_total{reason="store_rolled_back"}': 0,
  'turnkeeper_fence_refusals_total{reason="step_fenced"}': 0,
};

/** By which write the attempt learns it is a matter of milliseconds. */
function refusalsIn(series: Series): number {
  const refusals = Object.entries(series).filter(([name]) => name.includes('_fence_refusals_'));
  return refusals.reduce((sum, [, count]) => sum + count, 0);
}

describe('the metrics of a worker', { timeout: 180_000 }, () => {
  it('count turns, tools, tokens, dollars, retries and fallbacks, and tell of nobody', async () => {
    expect((await get('/healthz')).status).toBe(200);
    const turns = [];
    for (const setup of [PLAIN, WITH_TOOLS, WITH_FALLBACK])
      turns.push(await complete(world(), setup));
    // Sealed is told a moment before it is counted.
    await vi.waitFor(async () => expect(await counts()).toEqual(EXPECTED), SOON);
    const text = await scrape();
    const ids = turns.flatMap(({ id, conversationId, assistantId }) => [
      id,
      conversationId,
      assistantId,
    ]);
    const { DATABASE_URL = '', OPENAI_API_KEY = '', TURNKEEPER_TASK_QUEUE = '' } = world().env;
    const secrets = [
      DATABASE_URL,
      OPENAI_API_KEY,
      TURNKEEPER_TASK_QUEUE,
      '"default"',
      HOSTILE_TOOL,
    ];
    for (const word of [...ids, ...secrets, 'fake_total', 'disk is full'])
      expect(text).not.toContain(word);
  });

  it('count a write of an attempt whose turn was ended behind its back', async () => {
    const before = await counts();
    const talk = await newTalk(world(), { model: 'o1' });
    await world().offline.script([heldAnswer('Too late to be of any use.')]);
    const turn = await say(world(), talk);
    await untilShown(world(), turn);
    await sealBehind(turn);
    await world().offline.release();
    await vi.waitFor(async () => expect(refusalsIn(await counts())).toBe(1), SOON);
    const status = 'turnkeeper_turn_duration_seconds_count{status="cancelled"}';
    expect((await counts())[status]).toBe(before[status]);
  });

  it('count a turn that the sweep had to start', async () => {
    const started = 'turnkeeper_sweep_actions_total{action="started"}';
    const sweeps = readSeries(await scrape(), 'turnkeeper_sweep_');
    const actions = ['expired', 'started', 'ingesting', 'follow_ups', 'failed'];
    const none = actions.map((action) => [`turnkeeper_sweep_actions_total{action="${action}"}`, 0]);
    expect(sweeps).toEqual(Object.fromEntries(none));
    const forgetful = await world().client((real) => ({
      ...real,
      starter: { ...real.starter, startTurn: () => Promise.reject(new Error('out for lunch')) },
    }));
    const talk = await newTalk(world(), { model: 'o1' });
    await world().offline.script([answer('Here I am.')]);
    const turn = await forgetful.turns.start({ ...talk, input: 'Hello?' });
    expect(await resultOf(world(), turn)).toMatchObject({ status: 'completed' });
    await vi.waitFor(async () => expect(readSeries(await scrape())[started]).toBe(1), SOON);
  });

  it('are refused a port that is taken: the worker does not start', async () => {
    await expect(startMetered(world())).rejects.toThrow(/TURNKEEPER_METRICS_PORT/);
  });

  it('end with the worker, and those of the next one count the call that a killed one left', async () => {
    worker.kill('SIGTERM');
    await worker.exited;
    await expect(get('/healthz')).rejects.toThrow();
    await world().offline.script([answer('Never heard to its very end.'), answer('Once more.')]);
    const victim = await world().startWorker({ hangAt: 'respond: in mid-stream' });
    const turn = await say(world(), await newTalk(world(), { model: 'o1' }));
    await victim.reached;
    victim.kill('SIGKILL');
    await victim.exited;
    worker = await startMetered(world());
    expect(await resultOf(world(), turn)).toMatchObject({ answer: 'Once more.' });
    await vi.waitFor(
      async () =>
        expect(await counts()).toMatchObject({
          'turnkeeper_turn_duration_seconds_count{status="completed"}': 1,
          'turnkeeper_model_calls_total{model="o1",outcome="completed"}': 1,
          'turnkeeper_model_abandoned_calls_total{model="o1"}': 1,
          'turnkeeper_model_retries_total{model="o1"}': 1,
        }),
      SOON,
    );
  });
});
