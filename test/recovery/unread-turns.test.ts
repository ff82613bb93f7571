import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { LEASE_MS, StoreUnavailable, type Store, type Turn } from '../../src/contracts/store.ts';
import type { Recovery } from '../../src/recovery/recovery.ts';
import { unreadTurnsChore } from '../../src/recovery/unread-turns.ts';
import { RecordingStarter } from '../client/recording-starter.ts';
import { newTalk, startWorld, type World } from '../client/world.ts';

let world: World;
let starter: RecordingStarter;
let parts: Recovery;

beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  starter = new RecordingStarter();
  parts = { store: world.store, starter, logger: world.logger };
  await world.sql("UPDATE turnkeeper.turns SET state = 'sealed'");
});
afterEach(() => vi.useRealTimers());

const get = ({ id }: Turn) => world.store.turns.get('default', id);

async function unreadTurn(state: 'accepted' | 'started' = 'started'): Promise<Turn> {
  const { client, starter: away } = world.client();
  away.away = state === 'accepted';
  const onDisconnect = { cancelAfterMs: 1_000 };
  const turn = await client.turns.start({
    ...(await newTalk(client)),
    input: 'Hello',
    onDisconnect,
  });
  await world.sql(
    "UPDATE turnkeeper.turns SET accepted_at = now() - interval '2 s' WHERE id = $1",
    [turn.id],
  );
  return turn;
}

/** A chore that has seen the database for long enough. */
async function settledChore(of = parts) {
  const chore = unreadTurnsChore(of);
  await chore.run();
  vi.setSystemTime(Date.now() + LEASE_MS);
  return chore;
}

describe('a turn that ends without readers', () => {
  it('is cancelled like by a user, and the row tells why', async () => {
    const turn = await unreadTurn();
    starter.onCancel = async (id) => {
      await world.store.turns.seal('default', id, { status: 'cancelled' });
    };
    const chore = await settledChore();
    expect(await chore.run()).toBe(1);
    expect(starter.cancelled).toEqual([turn.id]);
    expect(await get(turn)).toMatchObject({ status: 'cancelled', reason: 'reader_gone' });
    expect(await chore.run()).toBe(0);
  });

  it('is asked again while its workflow has not ended, then sealed over it', async () => {
    const turn = await unreadTurn();
    const chore = await settledChore();
    await chore.run();
    await chore.run();
    expect(starter.cancelled).toEqual([turn.id, turn.id]);
    expect(await get(turn)).toMatchObject({ state: 'started' });
    await world.sql(
      "UPDATE turnkeeper.turns SET reader_gone_at = now() - interval '11 s' WHERE id = $1",
      [turn.id],
    );
    await chore.run();
    expect(await get(turn)).toMatchObject({ status: 'cancelled', reason: 'reader_gone' });
    expect(starter.terminated).toEqual([turn.id]);
  });

  it('is sealed at once when no workflow has it yet', async () => {
    const turn = await unreadTurn('accepted');
    await (await settledChore()).run();
    expect(await get(turn)).toMatchObject({ status: 'cancelled', reason: 'reader_gone' });
  });

  it('is left to the next time when Temporal is away, and holds up no other', async () => {
    const [started, accepted] = [await unreadTurn(), await unreadTurn('accepted')];
    const chore = await settledChore();
    starter.away = true;
    expect(await chore.run()).toBe(1);
    expect(await get(started)).toMatchObject({ state: 'started' });
    expect(await get(accepted)).toMatchObject({ state: 'sealed' });
    starter.away = false;
    await chore.run();
    expect(starter.cancelled).toContain(started.id);
  });

  it('is given time while nobody could say that it is read', async () => {
    const turn = await unreadTurn();
    let away = false;
    const unreadTurns: Store['sweep']['unreadTurns'] = async (limit) => {
      if (away) throw new StoreUnavailable(new Error('away'));
      return world.store.sweep.unreadTurns(limit);
    };
    const store = { ...world.store, sweep: { ...world.store.sweep, unreadTurns } };
    const chore = await settledChore({ ...parts, store });
    away = true;
    await expect(chore.run()).rejects.toThrow('away');
    away = false;
    expect(await chore.run()).toBe(0);
    await world.store.events.attend('default', turn.id);
    vi.setSystemTime(Date.now() + LEASE_MS);
    expect(await chore.run()).toBe(0);
    expect(starter.cancelled).toEqual([]);
  });

  it('is left alone while somebody reads it', async () => {
    const turn = await unreadTurn();
    await world.store.events.attend('default', turn.id);
    const chore = await settledChore();
    expect(await chore.run()).toBe(0);
    expect(await get(turn)).toMatchObject({ state: 'started' });
  });
});
