import { expect, test } from 'vitest';
import type { TestDatabase } from '../../support/stores.ts';
import {
  QUESTION,
  RESPOND,
  attemptOf,
  beginRespond,
  delta,
  failure,
  freshTenant,
  keyOf,
  newPlace,
  newTurn,
} from '../fixtures.ts';
import { ROWS_OF_TENANT, rowsOf } from '../inspect.ts';
import { REFUSED, UNHEARD, victimOf, type Attempt } from '../intrusions.ts';

export function tenants(database: TestDatabase): void {
  test('is refused by every method, with nothing told and nothing written', async () => {
    const intruder = freshTenant();
    const it = await victimOf(database.store, intruder);
    const before = await rowsOf(database, it.tenant);
    const outcomeOf = (attempt: Attempt) =>
      attempt(database.store, intruder, it).catch((error: unknown) => error);
    for (const [error, attempts] of REFUSED) {
      for (const [name, attempt] of Object.entries(attempts)) {
        expect(await outcomeOf(attempt), name).toEqual(error);
      }
    }
    for (const [nothing, attempts] of UNHEARD) {
      for (const [name, attempt] of Object.entries(attempts)) {
        expect(await outcomeOf(attempt), name).toEqual(nothing(it));
      }
    }
    expect(await rowsOf(database, it.tenant)).toEqual(before);
    const nothing = Object.fromEntries(Object.keys(ROWS_OF_TENANT).map((table) => [table, []]));
    expect(await rowsOf(database, intruder)).toEqual(nothing);
  });

  test('cannot start a turn in the conversation or with the assistant', async () => {
    const { turns } = database.store;
    const mine = await newPlace(database.store);
    const theirs = await newPlace(database.store);
    const before = [await rowsOf(database, mine.tenant), await rowsOf(database, theirs.tenant)];
    const accept = (place: { conversationId: string; assistantId: string }) =>
      turns.accept(mine.tenant, { ...place, items: [QUESTION], key: keyOf('k') });
    await expect(accept({ ...mine, conversationId: theirs.conversationId })).rejects.toEqual(
      failure('conversation_not_found'),
    );
    await expect(accept({ ...mine, assistantId: theirs.assistantId })).rejects.toEqual(
      failure('assistant_not_found'),
    );
    const after = [await rowsOf(database, mine.tenant), await rowsOf(database, theirs.tenant)];
    expect(after).toEqual(before);
  });

  test('does not see items of the turn through a conversation of its own', async () => {
    const { store } = database;
    const { turnId } = await newTurn(store);
    const { tenant, conversationId } = await newTurn(store);
    const items = store.conversations.items(tenant, conversationId, { turnId }, {});
    await expect(items).rejects.toEqual(failure('turn_not_found'));
  });

  test('takes nothing with it in a batch for many turns', async () => {
    const { store } = database;
    const [mine, theirs] = [await newTurn(store), await newTurn(store)];
    for (const turn of [mine, theirs]) await beginRespond(store, attemptOf(turn));
    const forged = { ...attemptOf(theirs, RESPOND), tenant: mine.tenant };
    const batches = [attemptOf(mine), forged].map((ref) => ({
      ref,
      position: 0,
      events: [delta('x')],
    }));
    expect(await store.events.append(batches)).toEqual([forged]);
    expect(await store.events.appended(attemptOf(mine))).toBe(1);
    expect(await store.events.appended(attemptOf(theirs))).toBe(0);
  });

  test('is tried with every method that there is', () => {
    const { store } = database;
    const { assistants, conversations, turns, steps, events, documents } = store;
    const { actions, files, compensations, summaries } = store;
    const ofTurns = { turns, steps, actions, events, files, compensations };
    const parts = { assistants, conversations, documents, summaries, ...ofTurns };
    const methods = Object.entries(parts).flatMap(([part, of]) =>
      Object.keys(of).map((method) => `${part}.${method}`),
    );
    const attempts = [...REFUSED, ...UNHEARD].flatMap(([, named]) => Object.keys(named));
    const tried = new Set(attempts.map((name) => name.split(' ')[0]));
    const making = ['assistants', 'conversations', 'documents'].map((part) => `${part}.create`);
    expect(methods.filter((name) => !tried.has(name))).toEqual(
      expect.arrayContaining([...making, 'turns.accept']),
    );
    expect(methods.length - tried.size).toBe(making.length + 1);
  });

  test('is looked for in every table that there is', async () => {
    const tables = await database.sql<{ name: string }>(
      `SELECT table_name AS name FROM information_schema.tables
       WHERE table_schema = 'turnkeeper' AND table_name <> 'schema_migrations' ORDER BY 1`,
    );
    expect(tables.map(({ name }) => name)).toEqual(Object.keys(ROWS_OF_TENANT).sort());
  });
}
