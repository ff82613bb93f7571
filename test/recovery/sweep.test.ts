import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Turnkeeper } from '../../src/client/client.ts';
import { StoreUnavailable, type Store, type Turn } from '../../src/contracts/store.ts';
import { startSweep, sweepOnce } from '../../src/recovery/sweep.ts';
import type { Recovery } from '../../src/recovery/recovery.ts';
import { RecordingStarter } from '../client/recording-starter.ts';
import { newTalk, startWorld, type World } from '../client/world.ts';
import { failedTurn, type TurnAt } from '../store/fixtures.ts';

let world: World;
/** Its Temporal is away, so that what it starts stays unstarted. */
let client: Turnkeeper;
let starter: RecordingStarter;
let parts: Recovery;

beforeAll(async () => {
  world = await startWorld();
  const cut = world.client();
  cut.starter.away = true;
  client = cut.client;
});
afterAll(() => world.stop());

beforeEach(async () => {
  starter = new RecordingStarter();
  parts = { store: world.store, starter, logger: world.logger };
  await world.sql("UPDATE turnkeeper.turns SET state = 'sealed', compensation = NULL");
  await world.sql("UPDATE turnkeeper.documents SET status = 'indexed'");
  world.logs.length = 0;
});

const get = ({ id }: Turn) => world.store.turns.get('default', id);

async function acceptedAgo(seconds: number): Promise<Turn> {
  const turn = await client.turns.start({ ...(await newTalk(client)), input: 'Hello' });
  await world.sql(
    "UPDATE turnkeeper.turns SET accepted_at = now() - $2 * interval '1 second' WHERE id = $1",
    [turn.id, seconds],
  );
  return turn;
}

async function overdue(): Promise<Turn> {
  const turn = await acceptedAgo(120);
  await world.store.turns.markStarted('default', turn.id);
  await world.sql(
    "UPDATE turnkeeper.turns SET deadline = now() - interval '61 seconds' WHERE id = $1",
    [turn.id],
  );
  return turn;
}

async function storedAgo(seconds: number): Promise<string> {
  const { id } = await client.documents.add({ base: 'b', name: 'a.txt', content: 'x' });
  await world.sql(
    "UPDATE turnkeeper.documents SET created_at = now() - $2 * interval '1 second' WHERE id = $1",
    [id, seconds],
  );
  return id;
}

describe('a sweep', () => {
  it('starts turns and documents that nobody started, after a grace', async () => {
    const forgotten = await acceptedAgo(6);
    const fresh = await acceptedAgo(0);
    const documentId = await storedAgo(6);
    await storedAgo(0);
    expect(await sweepOnce(parts)).toEqual({
      expired: 0,
      started: 1,
      ingesting: 1,
      followUps: 0,
      failed: 0,
    });
    expect(starter.startedIds()).toEqual([forgotten.id]);
    expect(starter.ingested).toEqual([{ tenant: 'default', documentId }]);
    expect(await get(forgotten)).toMatchObject({ state: 'started' });
    expect(await get(fresh)).toMatchObject({ state: 'accepted' });
  });

  it('ends turns that are past their deadline, and frees their conversations', async () => {
    const turn = await overdue();
    expect(await sweepOnce(parts)).toMatchObject({ expired: 1, failed: 0 });
    expect(await get(turn)).toMatchObject({ status: 'expired' });
    expect(starter.terminated).toEqual([turn.id]);
    expect(await client.conversations.get(turn.conversationId)).toMatchObject({ activeTurn: null });
  });

  it('does not start a turn that it ends', async () => {
    const turn = await acceptedAgo(120);
    await world.sql(
      "UPDATE turnkeeper.turns SET deadline = now() - interval '61 seconds' WHERE id = $1",
      [turn.id],
    );
    expect(await sweepOnce(parts)).toMatchObject({ expired: 1, started: 0 });
    expect(starter.started).toEqual([]);
  });

  it('works for all tenants', async () => {
    const { client: other, starter: away } = world.client({ tenant: 'other' });
    away.away = true;
    const turn = await other.turns.start({ ...(await newTalk(other)), input: 'Hello' });
    await world.sql(
      "UPDATE turnkeeper.turns SET accepted_at = now() - interval '6 seconds' WHERE id = $1",
      [turn.id],
    );
    await sweepOnce(parts);
    expect(starter.started).toMatchObject([{ tenant: 'other', turnId: turn.id }]);
    expect(await other.turns.get(turn.id)).toMatchObject({ state: 'started' });
  });

  it('logs what fails and goes on with the others', async () => {
    const bad = await acceptedAgo(7);
    const good = await acceptedAgo(6);
    await storedAgo(6);
    const startTurn = starter.startTurn.bind(starter);
    starter.startTurn = async (input) => {
      if (input.turnId === bad.id) throw new Error('does not like it');
      await startTurn(input);
    };
    expect(await sweepOnce(parts)).toEqual({
      expired: 0,
      started: 1,
      ingesting: 1,
      followUps: 0,
      failed: 1,
    });
    expect(starter.startedIds()).toEqual([good.id]);
    expect(world.logs.filter(({ level }) => level === 'error')).toEqual([
      {
        level: 'error',
        message: 'accepted turn not started',
        fields: { tenant: 'default', turnId: bad.id, error: 'does not like it' },
      },
    ]);
  });

  it('ends overdue turns also when Temporal is away', async () => {
    const turn = await overdue();
    starter.away = true;
    expect(await sweepOnce(parts)).toMatchObject({ expired: 1 });
    expect(await get(turn)).toMatchObject({ status: 'expired' });
  });
});

describe('a sweep that finds a compensation which is not closed', () => {
  const again = (column: string, { turnId }: TurnAt) =>
    world.sql(
      `UPDATE turnkeeper.turns SET ${column} = now() - interval '61 seconds' WHERE id = $1`,
      [turnId],
    );

  async function failedAWhileAgo(): Promise<TurnAt> {
    const turn = await failedTurn(world.store, 'a', 'b');
    await again('sealed_at', turn);
    return turn;
  }

  const compensationOf = async ({ tenant, turnId }: TurnAt) =>
    (await world.store.turns.get(tenant, turnId)).compensation;

  it('starts it when nobody has, after a grace', async () => {
    const turn = await failedAWhileAgo();
    await failedTurn(world.store, 'a');
    starter.states.set(`compensate:${turn.turnId}`, 'not_found');
    expect(await sweepOnce(parts)).toMatchObject({ followUps: 1, failed: 0 });
    expect(starter.compensated).toEqual([{ tenant: turn.tenant, turnId: turn.turnId }]);
    expect(await compensationOf(turn)).toBe('requested');
  });

  it('leaves a running one alone, and asks after it once a minute', async () => {
    const turn = await failedAWhileAgo();
    for (let sweeps = 0; sweeps < 5; sweeps++) await sweepOnce(parts);
    expect(starter.asked).toEqual([`compensate:${turn.turnId}`]);
    await again('compensation_checked_at', turn);
    await sweepOnce(parts);
    expect(starter.asked).toHaveLength(2);
    expect(starter.compensated).toEqual([]);
    expect(await compensationOf(turn)).toBe('requested');
  });

  it('ends one whose workflow has closed, says so in its steps, and in the log once', async () => {
    const turn = await failedAWhileAgo();
    starter.states.set(`compensate:${turn.turnId}`, 'closed');
    for (let sweeps = 0; sweeps < 2; sweeps++) {
      await sweepOnce(parts);
      await again('compensation_checked_at', turn);
    }
    expect(starter.compensated).toEqual([]);
    expect(await compensationOf(turn)).toBe('closed');
    const { tenant, turnId } = turn;
    const steps = await world.store.turns.steps(tenant, turnId);
    const left = steps.filter(({ kind }) => kind === 'compensate');
    expect(left.map(({ status, error }) => [status, error?.reason])).toEqual([
      ['closed', 'workflow_lost'],
      ['closed', 'workflow_lost'],
    ]);
    expect(world.logs).toEqual([
      { level: 'error', message: 'compensation lost', fields: { tenant, turnId, effects: 2 } },
    ]);
  });

  it('tells of one whose workflow has closed before it ends it, lest nobody does', async () => {
    const turn = await failedAWhileAgo();
    starter.states.set(`compensate:${turn.turnId}`, 'closed');
    const abandon = () => Promise.reject(new StoreUnavailable(new Error('connection lost')));
    const compensations = { ...world.store.compensations, abandon };
    const failing = { ...parts, store: { ...world.store, compensations } };
    expect(await sweepOnce(failing)).toMatchObject({ failed: 1 });
    expect(await compensationOf(turn)).toBe('requested');
    expect(world.logs).toMatchObject([{ message: 'compensation lost' }, { level: 'error' }]);
  });

  it('says nothing of one that ended itself meanwhile', async () => {
    const turn = await failedAWhileAgo();
    const { tenant, turnId } = turn;
    starter.executionState = async () => {
      await world.store.compensations.abandon(tenant, turnId, { reason: 'r', message: 'm' });
      return 'closed';
    };
    expect(await sweepOnce(parts)).toMatchObject({ followUps: 1, failed: 0 });
    expect(world.logs).toEqual([]);
  });

  it('changes nothing while Temporal is away, and comes back to it', async () => {
    const turn = await failedAWhileAgo();
    starter.away = true;
    expect(await sweepOnce(parts)).toMatchObject({ followUps: 0, failed: 1 });
    expect(await compensationOf(turn)).toBe('requested');
    starter.away = false;
    starter.states.set(`compensate:${turn.turnId}`, 'not_found');
    await again('compensation_checked_at', turn);
    expect(await sweepOnce(parts)).toMatchObject({ followUps: 1, failed: 0 });
    expect(starter.compensated).toHaveLength(1);
  });
});

describe('the sweep of a worker', () => {
  const overdueTurns = vi.fn<Store['sweep']['overdueTurns']>();

  /** A store whose sweep is answered by `overdueTurns`. */
  function sweeping() {
    const sweep = { ...world.store.sweep, overdueTurns };
    return startSweep({ ...parts, store: { ...world.store, sweep }, intervalMs: 5 });
  }

  beforeEach(() => {
    overdueTurns.mockReset();
    overdueTurns.mockResolvedValue([]);
  });

  it('comes again and again until it is stopped', async () => {
    const sweep = sweeping();
    await vi.waitFor(() => expect(overdueTurns.mock.calls.length).toBeGreaterThan(2));
    await sweep.stop();
    const calls = overdueTurns.mock.calls.length;
    await sweepOnce(parts);
    expect(overdueTurns.mock.calls.length).toBe(calls);
  });

  it('never overlaps itself, and is stopped only when its work is done', async () => {
    let release: (() => void) | undefined;
    overdueTurns.mockImplementation(() => new Promise((resolve) => (release = () => resolve([]))));
    const sweep = sweeping();
    await vi.waitFor(() => expect(release).toBeDefined());
    let stopped = false;
    const stopping = sweep.stop().then(() => (stopped = true));
    await storedAgo(0);
    expect(stopped).toBe(false);
    expect(overdueTurns).toHaveBeenCalledTimes(1);
    release?.();
    await stopping;
  });

  it('survives an outage of the database and logs it once', async () => {
    const away = new StoreUnavailable(new Error('connect ECONNREFUSED'));
    for (let n = 0; n < 3; n++) overdueTurns.mockRejectedValueOnce(away);
    const sweep = sweeping();
    await vi.waitFor(() => expect(overdueTurns.mock.calls.length).toBeGreaterThan(4));
    await sweep.stop();
    expect(world.logs.map(({ level, message }) => [level, message])).toEqual([
      ['error', 'sweep failed'],
      ['info', 'sweeping again, the database is back'],
    ]);
  });

  it('is not held up by a chore that hangs, which does not overlap itself either', async () => {
    let finish: (count: number) => void = () => undefined;
    const run = vi.fn(() => new Promise<number>((resolve) => (finish = resolve)));
    const sweep = startSweep({
      ...parts,
      store: { ...world.store, sweep: { ...world.store.sweep, overdueTurns } },
      chores: [{ name: 'tidy', run }],
      intervalMs: 5,
    });
    await vi.waitFor(() => expect(overdueTurns.mock.calls.length).toBeGreaterThan(2));
    expect(run).toHaveBeenCalledOnce();
    finish(0);
    await sweep.stop();
  });

  it('is stopped also while a chore and its own work hang', async () => {
    overdueTurns.mockImplementation(() => new Promise(() => undefined));
    const run = vi.fn(() => new Promise<number>(() => undefined));
    const sweep = startSweep({
      ...parts,
      store: { ...world.store, sweep: { ...world.store.sweep, overdueTurns } },
      chores: [{ name: 'tidy', run }],
      intervalMs: 5,
      patienceMs: 20,
    });
    await vi.waitFor(() => expect(run).toHaveBeenCalledOnce());
    await sweep.stop();
  });

  it('survives other failures too', async () => {
    overdueTurns.mockRejectedValueOnce(new Error('a bug'));
    const sweep = sweeping();
    await vi.waitFor(() => expect(overdueTurns.mock.calls.length).toBeGreaterThan(1));
    await sweep.stop();
    expect(world.logs).toMatchObject([{ level: 'error', fields: { error: 'a bug' } }]);
  });
});
