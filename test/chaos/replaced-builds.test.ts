import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { JsonObject } from '../../src/contracts/json.ts';
import type { Turn } from '../../src/contracts/store.ts';
import { bundleWorkflows } from '../../src/dev/bundle-workflows.ts';
import { hasPart } from '../support/require-part.ts';
import {
  answer,
  callOf,
  closedAs,
  expectNextTurn,
  newTalk,
  resultOf,
  say,
  SOON,
} from '../support/talk.ts';
import { useWorld } from '../support/use-world.ts';
import { untilAsleep, untilWaiting } from '../support/waiting-turns.ts';
import type { TestWorker } from '../support/world.ts';

const world = useWorld();
const bundles = { changed: '', patched: '' };
let folder = '';

beforeAll(async () => {
  if (!hasPart('temporal') || !hasPart('postgres')) return;
  folder = await mkdtemp(join(tmpdir(), 'turnkeeper-builds-'));
  for (const name of ['changed', 'patched'] as const) {
    bundles[name] = join(folder, `${name}.js`);
    const from = new URL(`../replay/${name}-workflows.ts`, import.meta.url);
    await bundleWorkflows(bundles[name], fileURLToPath(from));
  }
}, 60_000);
afterAll(async () => {
  if (folder !== '') await rm(folder, { recursive: true });
});

/** A turn whose tool has run on this worker, and which then stays there. */
async function turnHeldBy(worker: TestWorker): Promise<Turn> {
  const talk = await newTalk(world(), { tools: ['touch'] });
  await world().offline.script([callOf('touch'), answer('Done.')]);
  const reached = worker.hangAt('runTool: settled');
  const turn = await say(world(), talk);
  await reached;
  return turn;
}

/** A turn that waits for an approval, and answers after it. */
async function waitingTurn(): Promise<Turn> {
  const talk = await newTalk(world(), { tools: ['withdraw'] });
  await world().offline.script([callOf('withdraw'), answer('Done.')]);
  const turn = await say(world(), talk);
  await untilWaiting(world(), turn);
  await untilAsleep(world(), turn);
  return turn;
}

function approve({ id }: Turn): Promise<Turn> {
  const approvals = [{ callId: 'call_withdraw', approve: true as const }];
  return world().turnkeeper.turns.submit(id, { approvals });
}

async function plainTurn(): Promise<Turn> {
  const talk = await newTalk(world());
  await world().offline.script([answer('Done.')]);
  return say(world(), talk);
}

interface History {
  timers: number;
  patches: number;
  failedTasks: number;
  /** Those that worked on it, each once; empty without versioning. */
  builds: string[];
}

async function historyOf({ id }: Turn): Promise<History> {
  const { events } = await world().temporal.workflow.getHandle(id).fetchHistory();
  const all = events ?? [];
  const builds = all.flatMap(({ workflowTaskCompletedEventAttributes: task }) =>
    task?.deploymentVersion?.buildId ? [task.deploymentVersion.buildId] : [],
  );
  return {
    timers: all.filter((event) => event.timerStartedEventAttributes).length,
    patches: all.filter((event) => event.markerRecordedEventAttributes?.markerName === 'core_patch')
      .length,
    failedTasks: all.filter((event) => event.workflowTaskFailedEventAttributes).length,
    builds: [...new Set(builds)],
  };
}

const COMPLETED = { status: 'completed', answer: 'Done.' };

describe('workers that are replaced in mid-turn', { timeout: 120_000 }, () => {
  it('by a build with a change that nothing guards: the turn waits for one that guards it, goes on as it began, and new ones take the change', async () => {
    const old = await world().startWorker();
    const turn = await turnHeldBy(old);
    old.kill('SIGKILL');
    const changed = { TURNKEEPER_WORKFLOW_BUNDLE: bundles.changed };
    const unguarded = await world().startWorker({ env: changed });
    await vi.waitFor(async () => {
      expect((await historyOf(turn)).failedTasks).toBeGreaterThan(0);
    }, SOON);
    expect(await world().turnkeeper.turns.get(turn.id)).toMatchObject({ state: 'started' });
    await unguarded.stop();

    const patched = { TURNKEEPER_WORKFLOW_BUNDLE: bundles.patched };
    const guarded = await world().startWorker({ env: patched });
    expect(await resultOf(world(), turn)).toMatchObject(COMPLETED);
    expect(await historyOf(turn)).toMatchObject({ timers: 0, patches: 0, builds: [] });
    const next = await plainTurn();
    expect(await resultOf(world(), next)).toMatchObject(COMPLETED);
    expect(await historyOf(next)).toMatchObject({ timers: 1, patches: 1, failedTasks: 0 });
    await guarded.stop();
  });
});

describe('with worker versioning', { timeout: 120_000 }, () => {
  it('auto-upgrade: a turn goes on with the new build once that is current', async () => {
    const first = await build('first');
    expect(await warningsOf(first)).toContainEqual(
      expect.objectContaining({ build: 'first', current: null }),
    );
    await makeCurrent('first');
    const turn = await waitingTurn();
    const second = await build('second');
    expect(await warningsOf(second)).toContainEqual(
      expect.objectContaining({ build: 'second', current: 'first' }),
    );
    await makeCurrent('second');
    await approve(turn);
    expect(await resultOf(world(), turn)).toMatchObject(COMPLETED);
    const history = { patches: 0, failedTasks: 0, builds: ['first', 'second'] };
    expect(await historyOf(turn)).toMatchObject(history);
  });

  it('pinned: the old worker ends what it began, new turns go to the new build', async () => {
    const { turn, next } = await besides('second', 'third');
    expect(await historyOf(next)).toMatchObject({ timers: 1, patches: 0, builds: ['third'] });
    await approve(turn);
    expect(await resultOf(world(), turn)).toMatchObject(COMPLETED);
    expect(await historyOf(turn)).toMatchObject({ failedTasks: 0, builds: ['second'] });
  });

  it('pinned, and its workers are gone: the turn ends at its deadline, and its conversation takes the next one', async () => {
    const { turn } = await besides('third', 'second');
    await (await build('third')).stop();
    await approve(turn);
    expect(await world().turnkeeper.turns.get(turn.id)).toMatchObject({ state: 'started' });
    await world().sql(
      "UPDATE turnkeeper.turns SET deadline = now() - interval '61 seconds' WHERE id = $1",
      [turn.id],
    );
    expect(await resultOf(world(), turn)).toMatchObject({ status: 'expired' });
    expect(await closedAs(world(), turn)).toBe('TERMINATED');
    const { conversationId, assistantId } = turn;
    await expectNextTurn(world(), { conversationId, assistantId });
  });
});

const BUILDS = {
  first: { behavior: 'auto-upgrade', bundle: null },
  second: { behavior: 'pinned', bundle: 'patched' },
  third: { behavior: 'pinned', bundle: 'changed' },
} as const;
type Build = keyof typeof BUILDS;

const running = new Map<Build, TestWorker>();

/** The worker of this build; tests share them. */
async function build(name: Build): Promise<TestWorker> {
  const { behavior, bundle } = BUILDS[name];
  const worker =
    running.get(name) ??
    (await world().startWorker({
      env: {
        TURNKEEPER_VERSIONING: behavior,
        TURNKEEPER_BUILD_ID: name,
        ...(bundle && { TURNKEEPER_WORKFLOW_BUNDLE: bundles[bundle] }),
      },
    }));
  running.set(name, worker);
  return worker;
}

/** A turn that waits and was begun by one build, and one that was begun after another build had become current. */
async function besides(before: Build, after: Build): Promise<{ turn: Turn; next: Turn }> {
  await build(before);
  await makeCurrent(before);
  const turn = await waitingTurn();
  await build(after);
  await makeCurrent(after);
  const next = await plainTurn();
  expect(await resultOf(world(), next)).toMatchObject(COMPLETED);
  await world().offline.script([answer('Done.')]);
  return { turn, next };
}

/** As an operator does, once its first worker has asked for work. */
async function makeCurrent(buildId: string): Promise<void> {
  const { connection, options } = world().temporal;
  const deploymentName = world().env['TURNKEEPER_TASK_QUEUE'] ?? '';
  await vi.waitFor(
    () =>
      connection.workflowService.setWorkerDeploymentCurrentVersion({
        namespace: options.namespace,
        deploymentName,
        buildId,
      }),
    SOON,
  );
}

function warningsOf(worker: TestWorker): Promise<JsonObject[]> {
  return vi.waitFor(() => {
    const lines = worker
      .output()
      .split('\n')
      .filter((line) => line.startsWith('{'));
    const warnings = lines.map((line) => JSON.parse(line) as JsonObject);
    const found = warnings.filter(({ level }) => level === 'warn');
    expect(found).not.toHaveLength(0);
    return found;
  }, SOON);
}
