import { randomBytes, randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { DeletedConversation, Store } from '../../../src/contracts/store.ts';
import type { TestDatabase } from '../../support/stores.ts';
import {
  QUESTION,
  answer,
  appendOne,
  attemptOf,
  beginRespond,
  callItem,
  failAfter,
  failure,
  freshTenant,
  keyOf,
  newPlace,
  newTurn,
  readEvents,
  response,
  type Place,
} from '../fixtures.ts';
import { rowsOf } from '../inspect.ts';

/** A conversation with some of everything, that nothing holds. */
async function fullConversation(store: Store, tenant = freshTenant()): Promise<Place> {
  const { assistantId } = await newPlace(store, tenant);
  const { id: conversationId } = await store.conversations.create(
    tenant,
    { endUser: 'ann', metadata: { about: 'parcels' } },
    keyOf(randomUUID()),
  );
  const place = { tenant, assistantId, conversationId };
  const wrapped = randomBytes(60);
  const key = { id: randomUUID(), wrapped, wrappedBy: 'one' };
  await store.keys.ensure({ kind: 'conversation', id: conversationId }, key);
  await store.conversations.addItems(tenant, conversationId, {
    items: [QUESTION],
    maxQueued: null,
    key: keyOf('items'),
  });
  const first = await newTurn(store, place, { key: keyOf('turn') });
  const ref = attemptOf(first);
  await beginRespond(store, ref);
  await store.steps.recordIntent(ref, { model: 'small', inputTokens: 1 });
  await appendOne(store, ref, 0, ...Array.from({ length: 30 }, (_, n) => `word ${n}`));
  await store.steps.settleResponse(ref, response([callItem('a'), answer('Soon.')]));
  const content = randomBytes(10);
  const file = { turnId: first.turnId, name: 'n', mediaType: 'text/plain', content, key: 'k' };
  await store.files.create(tenant, [file]);
  // Handed over: one turn refers to the next.
  const whenBusy = { policy: 'enqueue', maxQueued: 20 } as const;
  const second = await newTurnBehind(store, place, whenBusy);
  await store.turns.seal(tenant, first.turnId, { status: 'completed' });
  await store.turns.seal(tenant, second, { status: 'cancelled' });
  return place;
}

async function newTurnBehind(
  store: Store,
  { tenant, conversationId, assistantId }: Place,
  whenBusy: { policy: 'enqueue'; maxQueued: number },
): Promise<string> {
  const items = [QUESTION];
  const accepted = await store.turns.accept(tenant, {
    ...{ conversationId, assistantId, items },
    whenBusy,
  });
  if (accepted.kind !== 'accepted') throw new Error(accepted.kind);
  return accepted.turn.id;
}

async function marked(
  store: Store,
  { tenant, conversationId }: Place,
): Promise<DeletedConversation> {
  const deletion = await store.conversations.delete(tenant, conversationId);
  if (deletion.kind !== 'deleting') throw new Error('It is held.');
  return deletion.conversation;
}

async function removeAll(
  store: Store,
  conversation: DeletedConversation,
  limit: number,
): Promise<number> {
  await store.sweep.markEnded(conversation.conversationId);
  for (let n = 1; ; n++) {
    const left = await store.sweep.removeRows(conversation, limit);
    if (left !== 'some') return left === 'none' ? n : 0;
  }
}

/** Of a conversation that goes on from before its second turn. */
async function edited(store: Store, { tenant, conversationId }: Place): Promise<string> {
  const { data } = await store.turns.list(tenant, conversationId, {});
  const { turn } = await store.turns.edit(tenant, { turnId: data[1]?.id ?? '', items: [QUESTION] });
  return turn.conversationId;
}

async function itemsOf(store: Store, tenant: string, id: string): Promise<string[]> {
  const { data } = await store.conversations.items(tenant, id, {}, { limit: 100 });
  return data.map(({ item }) => JSON.stringify(item));
}

export function deleting(database: TestDatabase): void {
  test('leaves no row of it, in however small batches, and none of others goes', async () => {
    const { store } = database;
    const tenant = freshTenant();
    const kept = await fullConversation(store, tenant);
    const before = await rowsOf(database, tenant);
    for (const limit of [1, 7, 5_000]) {
      const place = await fullConversation(store, tenant);
      const assistants = await rowsOf(database, tenant);
      const batches = await removeAll(store, await marked(store, place), limit);
      expect(batches > 1).toBe(limit < 5_000);
      const after = await rowsOf(database, tenant);
      // Assistants belong to no conversation; newPlace made another conversation, too.
      const own = (rows: Record<string, string[]>) => ({
        ...rows,
        assistants: [],
        assistant_versions: [],
        conversations: [],
      });
      expect(own(after)).toEqual(own(before));
      expect(after['assistants']).toEqual(assistants['assistants']);
      expect(after['conversations']?.join()).not.toContain(place.conversationId);
    }
    await store.conversations.get(tenant, kept.conversationId);
  });

  test('makes it unknown at once, and takes its key, end user, metadata and summary', async () => {
    const { store } = database;
    const place = await fullConversation(store);
    const { tenant, conversationId: id } = place;
    const [file] = (await store.files.list(tenant, {}, {})).data;
    const { workflows } = await marked(store, place);
    expect(workflows).toHaveLength(3);
    expect(workflows[0]).toBe(`summary:${id}`);
    const unknown = failure('conversation_not_found');
    await expect(store.conversations.get(tenant, id)).rejects.toEqual(unknown);
    await expect(store.conversations.items(tenant, id, {}, {})).rejects.toEqual(unknown);
    await expect(store.conversations.delete(tenant, id)).rejects.toEqual(unknown);
    await expect(newTurn(store, place)).rejects.toEqual(unknown);
    const gone = failure('turn_not_found');
    const [turnId = ''] = workflows.slice(1);
    await expect(store.turns.get(tenant, turnId)).rejects.toEqual(gone);
    await expect(readEvents(store, { ...place, turnId })).rejects.toEqual(gone);
    const noFile = failure('file_not_found');
    await expect(store.files.get(tenant, file?.id ?? '')).rejects.toEqual(noFile);
    await expect(store.files.read(tenant, file?.id ?? '')).rejects.toEqual(noFile);
    expect((await store.files.list(tenant, {}, {})).data).toEqual([]);
    const adding = store.conversations.addItems(tenant, id, { items: [QUESTION], maxQueued: 1 });
    await expect(adding).rejects.toEqual(unknown);
    const page = await store.conversations.list(tenant, {}, {});
    expect(page.data.map((one) => one.id)).not.toContain(id);
    const rows = await rowsOf(database, tenant);
    expect(rows['data_keys']).toEqual([]);
    expect(rows['conversations']?.join()).not.toMatch(/ann|parcels/);
    const key = { id: randomUUID(), wrapped: randomBytes(60), wrappedBy: 'one' };
    expect(await store.keys.ensure({ kind: 'conversation', id }, key)).toBeNull();
  });

  test('is refused while a turn holds it, with nothing written', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const { tenant, conversationId, turnId } = turn;
    const before = await rowsOf(database, tenant);
    const held = await store.conversations.delete(tenant, conversationId);
    expect(held).toMatchObject({ kind: 'busy', active: { id: turnId } });
    expect(await rowsOf(database, tenant)).toEqual(before);
    const conversation = { tenant, conversationId };
    await store.sweep.markEnded(conversationId);
    expect(await store.sweep.removeRows(conversation, 5_000)).toBe('none');
    expect(await rowsOf(database, tenant)).toEqual(before);
  });

  test('is refused while effects of it are being undone', async () => {
    const { store } = database;
    const turn = await failAfter(store, await newTurn(store), ['a']);
    const deletion = store.conversations.delete(turn.tenant, turn.conversationId);
    await expect(deletion).rejects.toEqual(failure('compensation_running'));
  });

  test('is found again by the sweep until no row is left, and goes on from there', async () => {
    const { store } = database;
    const place = await fullConversation(store);
    const conversation = await marked(store, place);
    await store.sweep.removeRows(conversation, 20);
    const found = async () =>
      (await store.sweep.deletedConversations(0, 1_000)).filter(
        ({ conversationId }) => conversationId === place.conversationId,
      );
    const [left] = await found();
    expect(left).toMatchObject({ tenant: place.tenant, workflows: conversation.workflows });
    const again = await store.sweep.deletedConversations(60_000, 1_000);
    expect(again).not.toContainEqual(left);
    const overlooked = async () => (await store.checkup.overlooked(3_600_000)).deletions;
    const before = await overlooked();
    await database.sql(
      "UPDATE turnkeeper.conversations SET deleted_at = deleted_at - interval '1 day' WHERE id = $1",
      [place.conversationId],
    );
    await found();
    expect(await overlooked()).toBe(before + 1);
    await Promise.all([1, 2].map(() => removeAll(store, left ?? conversation, 10)));
    expect(await found()).toEqual([]);
    expect((await rowsOf(database, place.tenant))['events']).toEqual([]);
  });

  test('keeps the conversation until its workflows are ended, compensations too', async () => {
    const { store } = database;
    const turn = await failAfter(store, await newTurn(store), ['a']);
    const { tenant, turnId, conversationId } = turn;
    await store.compensations.abandon(tenant, turnId, { reason: '', message: '' });
    const conversation = await marked(store, turn);
    const ids = [`summary:${conversationId}`, turnId, `compensate:${turnId}`];
    expect(conversation.workflows.toSorted()).toEqual(ids.toSorted());
    expect(await store.sweep.removeRows(conversation, 5_000)).toBe('waiting');
    expect((await rowsOf(database, tenant))['items']).toEqual([]);
    expect(await store.sweep.deletedConversations(0, 1_000)).toContainEqual(conversation);
    expect(await removeAll(store, conversation, 5_000)).toBe(1);
  });

  test('ends the workflow of a turn however long ago it was sealed, unless a worker has been there since', async () => {
    const { store } = database;
    const first = await newTurn(store);
    const turns = [first];
    for (const { tenant, turnId } of turns) {
      await store.turns.seal(tenant, turnId, { status: 'cancelled' });
      if (turns.length < 3) turns.push(await newTurn(store, first));
    }
    const folded = (turn: Place & { turnId: string }, ago: string | null) =>
      database.sql(
        `UPDATE turnkeeper.turns SET sealed_at = now() - interval '1 day', folded_at = now() - $2::interval
         WHERE id = $1`,
        [turn.turnId, ago],
      );
    const agos = [null, '1 minute', '2 hours'];
    await Promise.all(turns.map((turn, n) => folded(turn, agos[n] ?? null)));
    const { workflows } = await marked(store, first);
    expect(workflows.slice(1).toSorted()).toEqual(
      turns
        .slice(0, 2)
        .map(({ turnId }) => turnId)
        .toSorted(),
    );
  });

  test('keeps a model call until its provider is told to stop', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const { tenant, turnId } = turn;
    const ref = attemptOf(turn);
    await beginRespond(store, ref);
    const call = { model: 'small', inputTokens: 1, background: true };
    const { callId } = await store.steps.recordIntent(ref, call);
    const created = { type: 'response.created', response: { id: 'resp_1' } };
    await store.events.append([{ ref, position: 0, events: [created] }]);
    await store.turns.seal(tenant, turnId, { status: 'cancelled' });
    const conversation = await marked(store, turn);
    expect(await removeAll(store, conversation, 5_000)).toBe(0);
    await database.sql('UPDATE turnkeeper.model_calls SET stop_at = now() WHERE id = $1', [callId]);
    const calls = await store.sweep.unstoppedCalls(60_000, 1_000);
    expect(calls).toContainEqual(expect.objectContaining({ callId, responseId: 'resp_1' }));
    await store.turns.markStopped(tenant, turnId, callId);
    expect(await removeAll(store, conversation, 5_000)).toBe(1);
  });

  test('leaves an edit of one of its turns whole, or refuses it', async () => {
    const { store } = database;
    for (let round = 0; round < 3; round++) {
      const place = await fullConversation(store);
      const items = await itemsOf(store, place.tenant, place.conversationId);
      const deleting = marked(store, place).then((one) => removeAll(store, one, 3));
      const [branch] = await Promise.allSettled([edited(store, place), deleting]);
      if (branch.status === 'fulfilled')
        expect(await itemsOf(store, place.tenant, branch.value)).toEqual(items);
      else
        expect(branch.reason).toMatchObject({
          code: expect.stringMatching(/_not_found$/) as string,
        });
    }
  });

  test('refuses what comes late, before its rows are gone and after', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const { tenant, turnId, conversationId } = turn;
    const ref = attemptOf(turn);
    await beginRespond(store, ref);
    await store.turns.seal(tenant, turnId, { status: 'cancelled' });
    const conversation = await marked(store, turn);
    const content = randomBytes(10);
    const file = { turnId, name: 'n', mediaType: 'text/plain', content, key: 'k' };
    const late = async () => {
      expect(await appendOne(store, ref, 0, 'late')).toHaveLength(1);
      await expect(store.files.create(tenant, [file])).rejects.toEqual(failure('turn_not_found'));
      await expect(beginRespond(store, attemptOf(turn, 'respond:2'))).rejects.toThrow();
      const summary = { text: 'late', through: 1 };
      expect(
        await store.summaries.extend(tenant, conversationId, { after: 0, summary }),
      ).toBeNull();
      expect(await store.summaries.work(tenant, conversationId)).toBeNull();
    };
    await late();
    await removeAll(store, conversation, 5_000);
    await late();
    const rows = Object.entries(await rowsOf(database, tenant));
    expect(
      rows.filter(([table]) => !table.startsWith('assistant')).flatMap(([, all]) => all),
    ).toEqual([]);
  });
}
