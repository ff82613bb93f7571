import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import type { EventWatch, Store, TurnEvent } from '../../src/contracts/store.ts';
import { DEFAULT_LIMITS } from '../../src/conversation/limits.ts';
import { openStore } from '../../src/store/postgres.ts';
import { RecordingStarter } from '../client/recording-starter.ts';
import { describePostgres, type TestDatabase } from '../support/stores.ts';
import { PATIENCE, appendOne, attemptOf, beginRespond, newTurn, type TurnAt } from './fixtures.ts';

const LONG = 30_000;
const LISTENERS = `FROM pg_stat_activity WHERE datname = current_database()
  AND application_name = 'turnkeeper-notifications'`;

interface Process {
  store: Store;
  logs: string[];
}

/** Two stores with pools of their own, as two processes have them. */
function useProcesses(database: TestDatabase): { writer: Process; reader: Process } {
  const open = async (): Promise<Process> => {
    const logs: string[] = [];
    const log = (message: string) => void logs.push(message);
    const logger = { info: log, warn: log, error: log };
    const { url: connectionString } = database;
    const notifications = { connectionString, logger };
    return { store: await openStore({ connectionString, poolSize: 3, notifications }), logs };
  };
  const processes = {} as { writer: Process; reader: Process };
  beforeEach(async () => {
    Object.assign(processes, { writer: await open(), reader: await open() });
  });
  afterEach(async () => {
    for (const { store } of Object.values(processes)) await store.close();
  });
  return processes;
}

describePostgres('news from another process', (database) => {
  const processes = useProcesses(database);

  const listeners = async () => {
    const rows = await database.sql<{ pid: number }>(
      `SELECT pid ${LISTENERS} AND query LIKE 'LISTEN%' ORDER BY pid`,
    );
    return rows.map(({ pid }) => pid);
  };

  /** Watches that hear what other processes write; connecting takes a moment, and then tells once. */
  async function heard(...turns: TurnAt[]): Promise<EventWatch[]> {
    const { events } = processes.reader.store;
    const watches = turns.map(({ tenant, turnId }) => events.watch(tenant, turnId));
    for (const watch of watches) expect(await watch.next(LONG)).toBe(true);
    // What their turns began with may be told late.
    for (const watch of watches) await expect.poll(() => watch.next(100), PATIENCE).toBe(false);
    return watches;
  }

  async function runningTurn(): Promise<TurnAt> {
    const turn = await newTurn(processes.writer.store);
    await beginRespond(processes.writer.store, attemptOf(turn));
    return turn;
  }

  /** Writes until it is heard, for the writer's connection takes its time too. */
  async function writeUntilHeard(turn: TurnAt, watch: EventWatch): Promise<void> {
    let position = (await processes.writer.store.events.appended(attemptOf(turn))) ?? 0;
    await expect
      .poll(async () => {
        await appendOne(processes.writer.store, attemptOf(turn), position++, 'x');
        return watch.next(100);
      }, PATIENCE)
      .toBe(true);
  }

  test('wakes who reads the turn, and nobody else', async () => {
    const [turn, other] = [await runningTurn(), await runningTurn()];
    const [watch, idle] = (await heard(turn, other)) as [EventWatch, EventWatch];
    await writeUntilHeard(turn, watch);
    const told = watch.next(LONG);
    const { tenant, turnId } = turn;
    await processes.writer.store.turns.seal(tenant, turnId, { status: 'completed' });
    expect(await told).toBe(true);
    expect(await idle.next(0)).toBe(false);
    const foreign = processes.reader.store.events.watch('another', other.turnId);
    await writeUntilHeard(other, idle);
    expect(await foreign.next(0)).toBe(false);
  });

  test('is listened for by processes with readers only, on one connection', async () => {
    const { store } = processes.writer;
    const turn = await runningTurn();
    expect(await listeners()).toEqual([]);
    const watches = [1, 2, 3].map(() => store.events.watch(turn.tenant, turn.turnId));
    await expect.poll(listeners, PATIENCE).toHaveLength(1);
    expect(await Promise.all(watches.map((watch) => watch.next(LONG)))).toEqual([true, true, true]);
  });

  test('tells a whole flush at once, in short keys that name neither turn nor tenant', async () => {
    const { store } = processes.writer;
    const turns: TurnAt[] = [];
    for (let n = 0; n < 20; n++) turns.push(await runningTurn());
    const payloads = await listening(database.url, async (heardOf) => {
      await expect.poll(async () => (await database.sql(`SELECT 1 ${LISTENERS}`)).length).toBe(1);
      await untilQuiet(heardOf);
      heardOf.length = 0;
      const batches = turns.map((turn) => ({ ref: attemptOf(turn), position: 0, events: [] }));
      await store.events.append(batches);
      await expect
        .poll(() => heardOf.flatMap((payload) => payload.split(',')).length, PATIENCE)
        .toBe(turns.length);
    });
    expect(payloads.length).toBeLessThanOrEqual(2);
    for (const { turnId, tenant } of turns) {
      expect(payloads.join()).not.toContain(turnId);
      expect(payloads.join()).not.toContain(tenant);
    }
  });

  test('comes again once the listener that was killed is back, and the log tells of both once', async () => {
    const turn = await runningTurn();
    const [watch] = (await heard(turn)) as [EventWatch];
    await database.sql(`SELECT pg_terminate_backend(pid) ${LISTENERS}`);
    // What may have been missed meanwhile is looked for.
    expect(await watch.next(LONG)).toBe(true);
    await writeUntilHeard(turn, watch);
    expect(processes.reader.logs).toEqual([
      'no notifications, events are polled for',
      'notifications are back',
    ]);
  });

  test('that is lost is found by looking', async () => {
    const turn = await runningTurn();
    const silent = await openStore({ connectionString: database.url, poolSize: 2 });
    const events = read(processes.reader.store, turn);
    expect((await events.next()).value).toMatchObject({ number: 1 });
    expect((await events.next()).value).toMatchObject({ number: 2 });
    await appendOne(silent, attemptOf(turn), 0, 'x');
    expect((await events.next()).value).toMatchObject({ event: { delta: 'x' } });
    await silent.turns.seal(turn.tenant, turn.turnId, { status: 'completed' });
    expect((await events.next()).value).toMatchObject({ event: { type: 'turn.done' } });
    await silent.close();
  });

  test('is done without where nobody answers at that address', async () => {
    const logs: string[] = [];
    const log = (message: string) => void logs.push(message);
    const logger = { info: log, warn: log, error: log };
    const notifications = { connectionString: 'postgres://nobody@127.0.0.1:1/none', logger };
    const store = await openStore({ connectionString: database.url, poolSize: 3, notifications });
    const turn = await newTurn(store);
    const events = read(store, turn);
    await events.next();
    await store.turns.seal(turn.tenant, turn.turnId, { status: 'completed' });
    expect((await events.next()).value).toMatchObject({ event: { type: 'turn.done' } });
    await expect.poll(() => logs).toEqual(['no notifications, events are polled for']);
    await store.close();
  });
});

function read(store: Store, { tenant, turnId }: TurnAt): AsyncIterator<TurnEvent> {
  const log = () => undefined;
  const logger = { info: log, warn: log, error: log };
  const parts = { starter: new RecordingStarter(), logger, limits: DEFAULT_LIMITS, tenant };
  const client = createClient({ ...parts, store, close: () => Promise.resolve() });
  return client.turns.events(turnId)[Symbol.asyncIterator]();
}

/** Until what was written before has all been told. */
async function untilQuiet(payloads: string[]): Promise<void> {
  let before = -1;
  const grows = () => before !== (before = payloads.length);
  await expect.poll(grows, { interval: 300, timeout: 20_000 }).toBe(false);
}

/** Payloads of all notifications while `work` runs. */
async function listening(
  connectionString: string,
  work: (payloads: string[]) => Promise<void>,
): Promise<string[]> {
  const client = new pg.Client({ connectionString });
  const payloads: string[] = [];
  await client.connect();
  try {
    client.on('notification', ({ payload = '' }) => void payloads.push(payload));
    await client.query('LISTEN turnkeeper_events');
    await work(payloads);
    return payloads;
  } finally {
    await client.end();
  }
}
