import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { SubmitActions } from '../../src/client/submit-actions.ts';
import type { Turnkeeper } from '../../src/client/client.ts';
import type { Turn } from '../../src/contracts/store.ts';
import { countOf, readEvents } from '../support/reading.ts';
import { hasPart } from '../support/require-part.ts';
import { chosenRows } from '../support/sample.ts';
import {
  answer,
  closedAs,
  createsOf,
  effectsOf,
  expectNextTurn,
  newTalk,
  resultOf,
  say,
  SOON,
  type Talk,
} from '../support/talk.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { testTemporal } from '../support/temporal.ts';
import { useWorkers } from '../support/use-workers.ts';
import { useWorld } from '../support/use-world.ts';
import { asking, untilWaiting } from '../support/waiting-turns.ts';
import type { TestWorker } from '../support/world.ts';

const ANSWER = 'That is settled.';
const TIMEOUT_MS = 180_000;
const SAMPLED_ROWS = 2;
const CALLS = { transfer: { amount: 5 }, withdraw: { amount: 7 }, pick_seat: { row: 3 }, send: {} };
const DECIDED: SubmitActions = {
  approvals: [
    { callId: 'call_transfer', approve: true },
    { callId: 'call_withdraw', approve: false },
  ],
  outputs: [{ callId: 'call_pick_seat', output: '3A' }],
};

let database: TcpProxy;
let temporal: TcpProxy;
let distant: Turnkeeper;
const world = useWorld({
  async env(databaseUrl) {
    database = await startTcpProxy(new URL(databaseUrl).host);
    temporal = await startTcpProxy(testTemporal().connectionOptions.address);
    return { DATABASE_URL: database.through(databaseUrl) };
  },
});
beforeAll(async () => {
  if (!hasPart('temporal') || !hasPart('postgres')) return;
  distant = await world().client(undefined, { TEMPORAL_ADDRESS: temporal.address });
});
afterAll(async () => {
  if (!hasPart('temporal') || !hasPart('postgres')) return;
  await database.stop();
  await temporal.stop();
});

/** A turn that waits for two approvals and an output, after a tool that did not have to wait. */
interface Waiting {
  talk: Talk;
  turn: Turn;
  worker: TestWorker;
}

const workers = useWorkers(() => world().startWorker());

async function waitingTurn(): Promise<Waiting> {
  const talk = await newTalk(world(), { tools: Object.keys(CALLS) });
  await world().offline.script([asking(CALLS), answer(ANSWER)]);
  const worker = await workers.next();
  const turn = await say(world(), talk);
  await untilWaiting(world(), turn);
  await vi.waitFor(() => expect(effectsOf(world(), turn)).toHaveLength(1), SOON);
  return { talk, turn, worker };
}

const submit = ({ turn }: Waiting, client = world().turnkeeper) =>
  client.turns.submit(turn.id, DECIDED);

interface Row {
  name: string;
  point: string;
  /** Brings the failure about and submits; answers the worker that goes on. */
  run(waiting: Waiting): Promise<TestWorker>;
}

async function replaced({ worker }: Waiting): Promise<TestWorker> {
  worker.kill('SIGKILL');
  await worker.exited;
  return await workers.next();
}

const ROWS: Row[] = [
  {
    name: 'when its worker is killed while it waits',
    point: 'worker',
    async run(waiting) {
      const next = await replaced(waiting);
      await submit(waiting);
      return next;
    },
  },
  {
    name: 'when all workers are gone when something is submitted',
    point: 'worker',
    async run(waiting) {
      waiting.worker.kill('SIGKILL');
      await waiting.worker.exited;
      await submit(waiting);
      return await workers.next();
    },
  },
  {
    name: 'when its worker is told to stop while it waits, and another one goes on',
    point: 'worker',
    async run(waiting) {
      waiting.worker.kill('SIGTERM');
      await waiting.worker.exited;
      const next = await workers.next();
      await submit(waiting);
      return next;
    },
  },
  {
    name: 'when its worker is killed between the wake and reading what was submitted',
    point: 'worker',
    async run(waiting) {
      const reached = waiting.worker.hangAt('readActions: before');
      await submit(waiting);
      await reached;
      return await replaced(waiting);
    },
  },
  {
    name: 'when its worker is killed once it has read what was submitted, before the tool is run',
    point: 'worker',
    async run(waiting) {
      const reached = waiting.worker.hangAt('readActions: read');
      await submit(waiting);
      await reached;
      return await replaced(waiting);
    },
  },
  {
    name: 'when Temporal cannot be reached by whoever submits',
    point: 'temporal',
    async run(waiting) {
      temporal.cut();
      await submit(waiting, distant).finally(() => temporal.restore());
      return waiting.worker;
    },
  },
  {
    name: 'when the database is away for ten seconds while it waits',
    point: 'database',
    async run(waiting) {
      await database.outage(10_000);
      // Connections that were cut are found broken one by one.
      await vi.waitFor(() => submit(waiting), SOON);
      return waiting.worker;
    },
  },
  {
    name: 'when the database is away when something is submitted, and for six seconds after it was',
    point: 'database',
    async run(waiting) {
      database.cut();
      await expect(submit(waiting)).rejects.toMatchObject({ code: 'database_unreachable' });
      database.restore();
      const reached = waiting.worker.hangAt('readActions: before');
      // Connections that were cut are found broken one by one.
      await vi.waitFor(() => submit(waiting), SOON);
      await reached;
      const outage = database.outage(6_000);
      waiting.worker.letGo();
      await outage;
      return waiting.worker;
    },
  },
];

async function expectWhole({ talk, turn }: Waiting): Promise<void> {
  const result = await resultOf(world(), turn);
  expect(result).toMatchObject({ status: 'completed', answer: ANSWER });
  const did = effectsOf(world(), turn).map(({ tool }) => tool);
  expect(did).toEqual(['send', 'transfer']);
  const states = (await world().turnkeeper.turns.actions(turn.id)).map(({ state }) => state);
  expect(states).toEqual(['approved', 'denied', 'answered']);
  expect(await createsOf(world())).toHaveLength(2);
  const events = await readEvents(world().turnkeeper, turn.id);
  expect(events.map(({ number }) => number)).toEqual(events.map((_, index) => index + 1));
  expect(countOf(events, 'turn.requires_action')).toBe(1);
  expect(countOf(events, 'turn.action_decided')).toBe(3);
  expect(await closedAs(world(), turn)).toBe('COMPLETED');
  await expectNextTurn(world(), talk);
}

describe(
  'a turn that waits for its caller goes on, with each effect once',
  { timeout: TIMEOUT_MS },
  () => {
    for (const { name, run } of chosenRows(ROWS, SAMPLED_ROWS)) {
      it(name, async () => {
        const waiting = await waitingTurn();
        const worker = await run(waiting);
        await expectWhole(waiting);
        workers.keep(worker);
      });
    }
  },
);
