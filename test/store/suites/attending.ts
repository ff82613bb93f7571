import { expect, test } from 'vitest';
import { LEASE_MS, LEAVE_MS } from '../../../src/contracts/store.ts';
import type { TestDatabase } from '../../support/stores.ts';
import { newTurn, type TurnAt } from '../fixtures.ts';

export function attending(database: TestDatabase): void {
  const attendedTurn = () => newTurn(database.store, undefined, { cancelAfterMs: 60_000 });

  /** Milliseconds of a turn's lease that are left; null when nobody has read it. */
  async function leaseOf({ turnId }: TurnAt): Promise<number | null> {
    const [row] = await database.sql<{ ms: number | null }>(
      `SELECT (extract(epoch FROM read_until - now()) * 1000)::float8 AS ms FROM turnkeeper.turns WHERE id = $1`,
      [turnId],
    );
    return row?.ms ?? null;
  }

  const age = (turn: TurnAt, column: 'read_until' | 'accepted_at' | 'reader_gone_at', by: string) =>
    database.sql(
      `UPDATE turnkeeper.turns SET ${column} = coalesce(${column}, now()) - $2::interval WHERE id = $1`,
      [turn.turnId, by],
    );

  async function unread(tenant: string) {
    const turns = await database.store.sweep.unreadTurns(1_000);
    return turns.filter((turn) => turn.tenant === tenant);
  }

  const attend = ({ tenant, turnId }: TurnAt) => database.store.events.attend(tenant, turnId);
  const leave = ({ tenant, turnId }: TurnAt) => database.store.events.leave(tenant, turnId);

  test('holds for a while, and shortly once somebody has left', async () => {
    const turn = await attendedTurn();
    expect(await leaseOf(turn)).toBeNull();
    await attend(turn);
    expect(await leaseOf(turn)).toBeGreaterThan(LEAVE_MS);
    await leave(turn);
    expect(await leaseOf(turn)).toBeLessThanOrEqual(LEAVE_MS);
    await attend(turn);
    expect(await leaseOf(turn)).toBeGreaterThan(LEAVE_MS);
    expect(await leaseOf(turn)).toBeLessThanOrEqual(LEASE_MS);
  });

  test('is told with what is read, and written for no turn that goes on without readers', async () => {
    const { store } = database;
    const [turn, other] = [await attendedTurn(), await newTurn(store)];
    const read = ({ tenant, turnId }: TurnAt) =>
      store.events.read(tenant, turnId, { after: 0, limit: 9 });
    expect(await read(turn)).toMatchObject({ attended: true });
    expect(await read(other)).toMatchObject({ attended: false });
    await attend(other);
    expect(await leaseOf(other)).toBeNull();
    await age(other, 'accepted_at', '1 day');
    expect(await unread(other.tenant)).toEqual([]);
  });

  test('has been over for long enough: the turn is found, with whether it was started', async () => {
    const { store } = database;
    const turn = await attendedTurn();
    await attend(turn);
    await age(turn, 'accepted_at', '1 day');
    await age(turn, 'read_until', '50 seconds');
    expect(await unread(turn.tenant)).toEqual([]);
    await age(turn, 'read_until', '20 seconds');
    const found = { tenant: turn.tenant, turnId: turn.turnId };
    expect(await unread(turn.tenant)).toEqual([{ ...found, started: false, foundForMs: 0 }]);
    await store.turns.markStarted(turn.tenant, turn.turnId);
    await age(turn, 'reader_gone_at', '1 minute');
    const [again] = await unread(turn.tenant);
    expect(again).toMatchObject({ ...found, started: true });
    expect(again?.foundForMs).toBeGreaterThanOrEqual(60_000);
  });

  test('never began: the time counts from when the turn was accepted', async () => {
    const turn = await attendedTurn();
    expect(await unread(turn.tenant)).toEqual([]);
    await age(turn, 'accepted_at', '61 seconds');
    expect(await unread(turn.tenant)).toMatchObject([{ turnId: turn.turnId }]);
  });

  test('is over: the turn is cancelled for want of readers, unless it ends otherwise first', async () => {
    const { store } = database;
    const [turn, completed] = [await attendedTurn(), await attendedTurn()];
    for (const one of [turn, completed]) await age(one, 'accepted_at', '61 seconds');
    await database.store.sweep.unreadTurns(1_000);
    const seal = (one: TurnAt, status: 'cancelled' | 'completed') =>
      store.turns.seal(one.tenant, one.turnId, { status });
    expect(await seal(turn, 'cancelled')).toMatchObject({ reason: 'reader_gone' });
    expect(await seal(completed, 'completed')).toMatchObject({ reason: null });
    const row = await store.turns.get(turn.tenant, turn.turnId);
    expect(row).toMatchObject({ status: 'cancelled', reason: 'reader_gone' });
    expect([...(await unread(turn.tenant)), ...(await unread(completed.tenant))]).toEqual([]);
  });

  test('is asked for without finding anything, with a limit of 0', async () => {
    const turn = await attendedTurn();
    await age(turn, 'accepted_at', '61 seconds');
    expect(await database.store.sweep.unreadTurns(0)).toEqual([]);
    expect(await unread(turn.tenant)).toMatchObject([{ foundForMs: 0 }]);
  });
}
