import { existsSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import type { Turn } from '../../src/contracts/store.ts';
import { dockerSandbox } from '../../src/sandbox/docker.ts';
import { DEFAULT_LIMITS } from '../../src/sandbox/limits.ts';
import { containersOf, startsOf, untilCodeRuns } from '../sandbox/docker-fixtures.ts';
import { expectComputed, startCodeTurn } from '../support/code-turns.ts';
import type { Point } from '../support/points.ts';
import { chosenRows } from '../support/sample.ts';
import { expectNextTurn, resultOf, SOON, type Talk } from '../support/talk.ts';
import type { TestWorker } from '../support/test-worker.ts';
import { useDockerEngine } from '../support/use-docker-engine.ts';
import { useWorld } from '../support/use-world.ts';

const SAMPLED_ROWS = 3;
/** Prints something else each time that it runs, and takes long enough to be met on its way. */
const CODE = 'import time, uuid; print(uuid.uuid4()); time.sleep(2)';
const PRINTED = /^[0-9a-f]{8}-[0-9a-f-]{27}\n$/;
const HOUR_MS = 3_600_000;

interface Row {
  name: string;
  /** What is struck, so that a sample has one of each; the worker before, during and after its call. */
  point: `worker ${'before' | 'during' | 'after'}` | 'engine';
  /** Where the worker is held, or that the code is on its way. */
  moment: Point | 'the code runs';
  /** Whether a result stays with the engine until it is reaped: nobody was left to discard it. */
  leaves?: true;
  /** How often the code is started; unknown where the engine forgot what it had done. */
  starts?: number;
  /** Turns that the engine is not there for fail an attempt before it comes back. */
  failsFirst?: true;
}

const ROWS: Row[] = [
  {
    name: 'killed before its code ran: it runs',
    point: 'worker before',
    moment: 'runTool: before',
    starts: 1,
  },
  {
    name: 'killed while its code ran: the run goes on, and another worker collects it',
    point: 'worker during',
    moment: 'the code runs',
    starts: 1,
  },
  {
    name: 'killed after its code had run: another worker collects the same result',
    point: 'worker after',
    moment: 'runTool: during',
    starts: 1,
  },
  {
    name: 'killed right after the output was stored: nothing runs, and the container is reaped',
    point: 'worker after',
    moment: 'runTool: settled',
    starts: 1,
    leaves: true,
  },
  {
    name: 'killed before the code ran: it runs once the engine is back',
    point: 'engine',
    moment: 'runTool: before',
    failsFirst: true,
  },
  {
    name: 'killed while the code ran: the result is collected, or the code runs again',
    point: 'engine',
    moment: 'the code runs',
    failsFirst: true,
  },
  {
    name: 'killed after the code had run: the turn goes on without it, and the container is reaped',
    point: 'engine',
    moment: 'runTool: during',
    leaves: true,
  },
];

const engine = useDockerEngine();
const world = useWorld({ env: () => engine.env() });

/** Temporal waits to try the tool again. */
async function untilAttemptFailed({ id }: Turn): Promise<void> {
  await vi.waitFor(async () => {
    const { raw } = await world().temporal.workflow.getHandle(id).describe();
    const attempts = (raw.pendingActivities ?? []).map(({ attempt }) => attempt ?? 0);
    expect(Math.max(0, ...attempts)).toBeGreaterThan(1);
  }, SOON);
}

async function expectAnswered(talk: Talk, turn: Turn): Promise<void> {
  await expectComputed(world(), turn, PRINTED);
  await expectNextTurn(world(), talk);
}

async function expectNothingLeft({ leaves }: Row, key: string): Promise<void> {
  const { docker, dockerHost } = engine.current;
  const left = () => containersOf(docker, key);
  if (!leaves) return vi.waitFor(async () => expect(await left()).toEqual([]), SOON);
  expect(await left()).toHaveLength(1);
  const image = engine.image;
  const sandbox = await dockerSandbox({ dockerHost, image, runtime: null, limits: DEFAULT_LIMITS });
  await sandbox.reap();
  expect(await left(), 'somebody may come for it').toHaveLength(1);
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + HOUR_MS });
  try {
    expect(await sandbox.reap()).toBe(1);
  } finally {
    vi.useRealTimers();
  }
  expect(await left()).toEqual([]);
}

/** Starts a turn and lets it come to that moment. */
async function runInto({ moment }: Row, worker: TestWorker) {
  const reached = moment === 'the code runs' ? null : worker.hangAt(moment);
  const started = await startCodeTurn(world(), CODE);
  await (reached ?? untilCodeRuns(engine.current.docker, started.key));
  return started;
}

async function withWorker(work: (worker: TestWorker) => Promise<void>): Promise<void> {
  const worker = await world().startWorker();
  try {
    await work(worker);
  } finally {
    worker.kill('SIGKILL');
  }
}

async function killWorker(row: Row): Promise<void> {
  await withWorker(async (victim) => {
    const { talk, turn, key } = await runInto(row, victim);
    victim.kill('SIGKILL');
    await withWorker(async () => {
      await expectAnswered(talk, turn);
      expect(await startsOf(engine.current.docker, key)).toBe(row.starts);
      await expectNothingLeft(row, key);
    });
  });
}

async function killEngine(row: Row): Promise<void> {
  await withWorker(async (worker) => {
    const { talk, turn, key } = await runInto(row, worker);
    engine.current.kill();
    worker.letGo();
    if (row.failsFirst) await untilAttemptFailed(turn);
    else await resultOf(world(), turn);
    await engine.current.restart();
    await expectAnswered(talk, turn);
    await expectNothingLeft(row, key);
  });
}

const rows = chosenRows(ROWS, SAMPLED_ROWS);
const strikesWorker = ({ point }: Row) => point !== 'engine';

describe('a turn that runs code, whose worker is', { timeout: 180_000 }, () => {
  for (const row of rows.filter(strikesWorker)) it(row.name, () => killWorker(row));
});

describe('a turn that runs code, whose Docker engine is', { timeout: 180_000 }, () => {
  for (const row of rows.filter((row) => !strikesWorker(row))) it(row.name, () => killEngine(row));

  it('frozen for a while: the run is waited for, and nothing runs twice', async () => {
    await withWorker(async () => {
      const { talk, turn, key } = await startCodeTurn(world(), CODE);
      const { Id } = await untilCodeRuns(engine.current.docker, key);
      const { State } = await engine.current.docker.getContainer(Id).inspect();
      engine.current.kill('SIGSTOP');
      // The code comes to its end, and nobody hears of it.
      await vi.waitFor(() => expect(existsSync(`/proc/${State.Pid}`)).toBe(false), SOON);
      engine.current.kill('SIGCONT');
      await expectAnswered(talk, turn);
      expect(await startsOf(engine.current.docker, key)).toBe(1);
    });
  });
});

describe('a turn that is cancelled while its code runs', () => {
  it('takes its container with it', async () => {
    await withWorker(async () => {
      const { turn, key } = await startCodeTurn(world(), CODE);
      await untilCodeRuns(engine.current.docker, key);
      await world().turnkeeper.turns.cancel(turn.id);
      expect(await resultOf(world(), turn)).toMatchObject({ status: 'cancelled' });
      await vi.waitFor(async () => {
        expect(await containersOf(engine.current.docker, key)).toEqual([]);
      }, SOON);
    });
  });
});
