import { expect, test } from 'vitest';
import type { TestDatabase } from '../../support/stores.ts';
import {
  attemptOf,
  beginRespond,
  failedTurn,
  freshTenant,
  newPlace,
  newTurn,
  response,
  QUESTION,
} from '../fixtures.ts';

export function starting(database: TestDatabase): void {
  test('marks an accepted turn as started, once', async () => {
    const { store } = database;
    const { tenant, turnId } = await newTurn(store);
    await store.turns.markStarted(tenant, turnId);
    const started = await store.turns.get(tenant, turnId);
    expect(started).toMatchObject({ state: 'started', startedAt: expect.any(Date) as Date });
    await store.turns.markStarted(tenant, turnId);
    expect(await store.turns.get(tenant, turnId)).toEqual(started);
  });

  test.each(['queued', 'sealed'])('leaves a %s turn alone', async (state) => {
    const { store } = database;
    const { tenant, turnId } = await newTurn(store);
    await database.sql('UPDATE turnkeeper.turns SET state = $2 WHERE id = $1', [turnId, state]);
    const before = await store.turns.get(tenant, turnId);
    await store.turns.markStarted(tenant, turnId);
    expect(await store.turns.get(tenant, turnId)).toEqual(before);
  });
}

const DOCUMENT = { base: 'b', name: 'n', mediaType: 'text/plain' };

export function sweeping(database: TestDatabase): void {
  const AGO = "now() - interval '1 hour'";

  /** The sweep serves all tenants; these are the turns of one. */
  async function found(tenant: string, sweep: 'unstartedTurns' | 'overdueTurns', ms: number) {
    const inputs = await database.store.sweep[sweep](ms, 100);
    return inputs.filter((input) => input.tenant === tenant).map(({ turnId }) => turnId);
  }

  const age = (column: string, turnId: string) =>
    database.sql(`UPDATE turnkeeper.turns SET ${column} = ${AGO} WHERE id = $1`, [turnId]);

  test('finds accepted turns of some age, and no others', async () => {
    const { store } = database;
    const { tenant, turnId } = await newTurn(store);
    expect(await found(tenant, 'unstartedTurns', 60_000)).toEqual([]);
    await age('accepted_at', turnId);
    expect(await found(tenant, 'unstartedTurns', 60_000)).toEqual([turnId]);
    expect(await found(tenant, 'unstartedTurns', 7_200_000)).toEqual([]);
    await store.turns.markStarted(tenant, turnId);
    expect(await found(tenant, 'unstartedTurns', 60_000)).toEqual([]);
  });

  test('hands out the input with which the turn was accepted', async () => {
    const { store } = database;
    const { tenant, ...place } = await newPlace(store);
    const accepted = await store.turns.accept(tenant, { ...place, items: [QUESTION] });
    if (accepted.kind !== 'accepted') return expect.unreachable();
    await age('accepted_at', accepted.turn.id);
    const inputs = await store.sweep.unstartedTurns(60_000, 100);
    expect(inputs).toContainEqual(accepted.input);
  });

  test.each(['accepted', 'started'])('finds %s turns past their deadline', async (state) => {
    const { store } = database;
    const { tenant, turnId } = await newTurn(store);
    if (state === 'started') await store.turns.markStarted(tenant, turnId);
    expect(await found(tenant, 'overdueTurns', 60_000)).toEqual([]);
    await age('deadline', turnId);
    expect(await found(tenant, 'overdueTurns', 60_000)).toEqual([turnId]);
    expect(await found(tenant, 'overdueTurns', 7_200_000)).toEqual([]);
    await store.turns.seal(tenant, turnId, { status: 'expired' });
    expect(await found(tenant, 'overdueTurns', 60_000)).toEqual([]);
  });

  test('takes the oldest first, and no more than it was asked for', async () => {
    const { store } = database;
    const turns = [await newTurn(store), await newTurn(store)];
    for (const [n, { turnId }] of turns.entries()) {
      await database.sql(
        `UPDATE turnkeeper.turns SET accepted_at = '2001-01-0${2 - n}', deadline = '2001-01-0${2 - n}' WHERE id = $1`,
        [turnId],
      );
    }
    const oldest = turns[1]?.turnId;
    expect(await store.sweep.unstartedTurns(0, 1)).toMatchObject([{ turnId: oldest }]);
    expect(await store.sweep.overdueTurns(0, 1)).toMatchObject([{ turnId: oldest }]);
  });

  const addDocument = (tenant: string) =>
    database.store.documents.create(tenant, { ...DOCUMENT, content: Buffer.from('text') });

  async function unindexed(tenant: string, limit = 100): Promise<string[]> {
    const age = { olderThanMs: 60_000, everyMs: 60_000 };
    const found = await database.store.sweep.unindexedDocuments(age, limit);
    return found.filter((one) => one.tenant === tenant).map(({ documentId }) => documentId);
  }

  const ageDocument = (column: string, id: string) =>
    database.sql(`UPDATE turnkeeper.documents SET ${column} = ${AGO} WHERE id = $1`, [id]);

  test('finds documents that nobody indexed, each once in a while', async () => {
    const { documents } = database.store;
    const tenant = freshTenant();
    const [left, indexed, failed] = [
      await addDocument(tenant),
      await addDocument(tenant),
      await addDocument(tenant),
    ];
    await documents.markIndexed(tenant, indexed.id, 1);
    await documents.markFailed(tenant, failed.id, { reason: 'r', message: 'm' });
    for (const { id } of [left, indexed, failed]) await ageDocument('created_at', id);
    await addDocument(tenant);
    expect(await unindexed(tenant)).toEqual([left.id]);
    expect(await unindexed(tenant)).toEqual([]);
    await ageDocument('ingestion_checked_at', left.id);
    expect(await unindexed(tenant)).toEqual([left.id]);
  });

  test('hands out no more documents than are to be under way, and comes to all of them', async () => {
    await database.sql("UPDATE turnkeeper.documents SET status = 'indexed'");
    const tenant = freshTenant();
    const added = [await addDocument(tenant), await addDocument(tenant), await addDocument(tenant)];
    const [first = '', second = '', third = ''] = added.map(({ id }) => id);
    for (const id of [third, second, first]) await ageDocument('created_at', id);
    const [next] = await unindexed(tenant, 1);
    expect([first, second, third]).toContain(next);
    expect(await unindexed(tenant, 1)).toEqual([]);
    // One that takes its time holds up no other.
    await ageDocument('ingestion_checked_at', next ?? '');
    const [other = ''] = await unindexed(tenant, 1);
    expect(other).not.toBe(next);
    await database.store.documents.markIndexed(tenant, other, 1);
    const [last] = await unindexed(tenant, 1);
    expect(new Set([next, other, last]).size).toBe(3);
  });

  test('finds compensations that are open, each once in a while', async () => {
    const { store } = database;
    const turn = await failedTurn(store, 'a');
    const open = async (olderThanMs: number, everyMs: number) => {
      const found = await store.sweep.openCompensations({ olderThanMs, everyMs }, 100);
      return found.filter(({ tenant }) => tenant === turn.tenant);
    };
    const { tenant, turnId } = turn;
    expect(await open(60_000, 60_000)).toEqual([]);
    await age('sealed_at', turnId);
    expect(await open(60_000, 60_000)).toEqual([{ tenant, turnId }]);
    expect(await open(60_000, 60_000)).toEqual([]);
    await age('compensation_checked_at', turnId);
    expect(await open(60_000, 60_000)).toEqual([{ tenant, turnId }]);
    await age('compensation_checked_at', turnId);
    await store.compensations.abandon(tenant, turnId, { reason: 'r', message: 'm' });
    expect(await open(60_000, 60_000)).toEqual([]);
  });

  test('takes compensations that nobody looked after before those that somebody did', async () => {
    const { store } = database;
    const turns = [await failedTurn(store, 'a'), await failedTurn(store, 'a')];
    for (const { turnId } of turns) await age('sealed_at', turnId);
    const [first, second] = turns.map(({ turnId }) => turnId);
    await database.sql(
      "UPDATE turnkeeper.turns SET compensation_checked_at = '2001-01-01' WHERE id = $1",
      [first],
    );
    const take = () => store.sweep.openCompensations({ olderThanMs: 60_000, everyMs: 60_000 }, 1);
    expect(await take()).toMatchObject([{ turnId: second }]);
    expect(await take()).toMatchObject([{ turnId: first }]);
  });

  test('a turn that is working is left alone', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await store.turns.markStarted(turn.tenant, turn.turnId);
    await beginRespond(store, attemptOf(turn));
    await store.steps.settleResponse(attemptOf(turn), response());
    expect(await found(turn.tenant, 'unstartedTurns', 0)).toEqual([]);
    expect(await found(turn.tenant, 'overdueTurns', 0)).toEqual([]);
  });
}
