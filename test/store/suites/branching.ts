import { expect, test } from 'vitest';
import type { TestDatabase } from '../../support/stores.ts';
import { again, everyItem } from '../again.ts';
import {
  answer,
  attemptOf,
  beginRespond,
  failAfter,
  failure,
  freshTenant,
  keyOf,
  newPlace,
  newTurn,
  QUESTION,
  response,
  type TurnAt,
} from '../fixtures.ts';
import { messageOf, said, waiting } from '../queues.ts';
import { notesOf, request, seal, turnAfterCall, undoAll } from '../undoings.ts';

export function editing(database: TestDatabase): void {
  test('makes a conversation of its own that has all that came before, and leaves the old one as it is', async () => {
    const { store } = database;
    const tenant = freshTenant();
    const { id: assistantId } = await store.assistants.create(tenant, {
      name: 'C',
      model: 'small',
    });
    const fields = { endUser: 'u', metadata: { title: 'Beavers' } };
    const { id: conversationId } = await store.conversations.create(tenant, fields);
    const place = { tenant, assistantId, conversationId };
    const first = await again(store, await failAfter(store, await newTurn(store, place), []));
    await beginRespond(store, attemptOf(first));
    await store.steps.settleResponse(attemptOf(first), response());
    await store.turns.seal(tenant, first.turnId, { status: 'completed' });
    const second = await newTurn(store, place, { items: [messageOf('And where?')] });
    const before = await everyItem(store, place);

    const edit = { turnId: second.turnId, items: [messageOf('And when?')], key: keyOf('k') };
    const branch = await store.turns.edit(tenant, edit);
    expect(branch).toMatchObject({
      kind: 'accepted',
      turn: { state: 'accepted', origin: { kind: 'edit', turnId: second.turnId } },
    });
    expect(await store.turns.edit(tenant, edit)).toMatchObject({
      kind: 'repeated',
      turn: { id: branch.turn.id },
    });
    const { conversationId: branchId } = branch.turn;
    expect(await store.conversations.get(tenant, branchId)).toMatchObject({
      ...fields,
      activeTurn: branch.turn.id,
      branchedFrom: { conversationId, turnId: second.turnId },
    });
    const copies = await everyItem(store, { ...place, conversationId: branchId });
    expect(copies.map(({ item, turnId }) => [item, turnId])).toEqual([
      [QUESTION, null],
      [answer('It is on its way.'), null],
      [messageOf('And when?'), branch.turn.id],
    ]);
    expect(await everyItem(store, place)).toEqual(before);
    expect(await store.conversations.get(tenant, conversationId)).toMatchObject({
      activeTurn: second.turnId,
      branchedFrom: null,
    });
  });

  test('takes the summary along where it is about nothing else, and only there', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const turns: TurnAt[] = [];
    for (let n = 0; n < 3; n++) {
      const turn = await newTurn(store, place);
      await beginRespond(store, attemptOf(turn));
      await store.steps.settleResponse(attemptOf(turn), response());
      await store.turns.seal(place.tenant, turn.turnId, { status: 'completed' });
      turns.push(turn);
    }
    await database.sql(
      'UPDATE turnkeeper.conversations SET summary = $2, summary_through = 2 WHERE id = $1',
      [place.conversationId, 'They spoke of beavers.'],
    );
    const [summarized, next] = turns.map(({ turnId }) => turnId);
    const branchAt = async (turnId = '') => {
      const { turn } = await store.turns.edit(place.tenant, { turnId, items: [QUESTION] });
      const at = { ...place, conversationId: turn.conversationId, turnId: turn.id };
      return store.steps.loadContext(attemptOf(at));
    };
    const after = await branchAt(next);
    expect(after.summary).toEqual({ text: 'They spoke of beavers.', through: 2 });
    expect(after.items).toHaveLength(1);
    const inside = await branchAt(summarized);
    expect(inside.summary).toBeNull();
    expect(inside.items.map(({ item }) => item)).toEqual([QUESTION]);
  });

  test('goes on without a reader no longer than the turn that was edited', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const first = await newTurn(store, place, { cancelAfterMs: 5_000 });
    const cancelAfter = async ({ turnId }: TurnAt) =>
      await database.sql('SELECT cancel_after_ms::int FROM turnkeeper.turns WHERE id = $1', [
        turnId,
      ]);
    const branch = await branchAt(database, first);
    await store.turns.seal(place.tenant, first.turnId, { status: 'cancelled' });
    for (const made of [branch, await again(store, first), await branchAt(database, branch)])
      expect(await cancelAfter(made)).toEqual([{ cancel_after_ms: 5_000 }]);
  });

  test('is refused to a turn that waits in the queue, and not once it has ended there', async () => {
    const { store } = database;
    const first = await newTurn(store);
    const second = await waiting(store, first, 'And when?');
    const edit = { turnId: second.turnId, items: [messageOf('And where?')] };
    await expect(store.turns.edit(first.tenant, edit)).rejects.toEqual(
      failure('turn_not_retryable'),
    );
    await seal(database, second, { status: 'cancelled' });
    const failed = await failAfter(store, first, []);
    const retry = await again(store, failed);
    await seal(database, retry, { status: 'completed' });
    const saidIn = async () => {
      const { turn } = await store.turns.edit(first.tenant, edit);
      return said(database, { ...first, conversationId: turn.conversationId });
    };
    const branch = [QUESTION['content'], 'And where?'];
    expect(await saidIn()).toEqual(branch);
    await newTurn(store, first, { items: [messageOf('And how?')] });
    expect(await saidIn()).toEqual(branch);
  });
}

/** A branch that begins before the turn, whose turn has ended. */
async function branchAt({ store }: TestDatabase, at: TurnAt): Promise<TurnAt> {
  const edit = { turnId: at.turnId, items: [messageOf('And when?')] };
  const { turn } = await store.turns.edit(at.tenant, edit);
  const branch = { ...at, conversationId: turn.conversationId, turnId: turn.id };
  await store.turns.seal(at.tenant, turn.id, { status: 'completed' });
  return branch;
}

/** A turn that took effect, and one behind it. */
async function twoTurns(database: TestDatabase): Promise<[TurnAt, TurnAt]> {
  const first = await turnAfterCall(database);
  await seal(database, first, { status: 'completed' });
  return [first, await newTurn(database.store, first)];
}

const UNDONE = [
  expect.stringContaining('is being undone'),
  expect.stringContaining('was undone'),
] as unknown[];

export function branchNotes(database: TestDatabase): void {
  test('tell of what is undone after it was made, once, and so in branches of it', async () => {
    const [first, second] = await twoTurns(database);
    const branch = await branchAt(database, second);
    const next = await newTurn(database.store, branch);
    const twig = await branchAt(database, next);
    await request(database, first);
    await undoAll(database, first);
    await database.store.compensations.close(first.tenant, first.turnId);
    for (const place of [first, branch, twig])
      expect(await notesOf(database, place)).toEqual(UNDONE);
    const { items } = await database.store.steps.loadContext(attemptOf(next));
    expect(items.map(({ item }) => item['role'] ?? item.type)).toEqual([
      ...['user', 'function_call', 'function_call_output', 'user', 'user'],
      ...['developer', 'developer'],
    ]);
  });

  test('tell of what was undone before it was made, or is just being undone', async () => {
    const [first, second] = await twoTurns(database);
    await request(database, first);
    const early = await branchAt(database, second);
    expect(await notesOf(database, early)).toEqual(UNDONE.slice(0, 1));
    await undoAll(database, first);
    const late = await branchAt(database, second);
    const twig = await branchAt(database, late);
    for (const place of [first, early, late, twig])
      expect(await notesOf(database, place)).toEqual(UNDONE);
  });

  test('tell it once where it is closed while the branch is made', async () => {
    for (let times = 0; times < 5; times += 1) {
      const [first, second] = await twoTurns(database);
      await request(database, first);
      const [branch] = await Promise.all([branchAt(database, second), undoAll(database, first)]);
      expect(await notesOf(database, branch)).toEqual(UNDONE);
    }
  });

  test('do not tell of the turn that was edited, nor of one in whose place it came', async () => {
    const failed = await failAfter(database.store, await newTurn(database.store), ['a']);
    await undoAll(database, failed);
    const retry = await again(database.store, failed);
    expect(await notesOf(database, await branchAt(database, retry))).toEqual([]);
  });

  test('do not keep the last turn of a branch from being answered anew, nor a branch from being deleted', async () => {
    const { store } = database;
    const [first, second] = await twoTurns(database);
    const branch = await branchAt(database, second);
    const deleted = await branchAt(database, second);
    await store.conversations.delete(deleted.tenant, deleted.conversationId);
    await request(database, first);
    await undoAll(database, first);
    const anew = await again(store, branch, { kind: 'regenerate' });
    expect(await notesOf(database, anew)).toEqual(UNDONE);
    expect(await store.sweep.removeRows(deleted, 1_000)).not.toBe('some');
  });
}
