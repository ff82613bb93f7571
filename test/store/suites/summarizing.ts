import { expect, test } from 'vitest';
import type { ConversationSummary } from '../../../src/contracts/store.ts';
import type { TestDatabase } from '../../support/stores.ts';
import {
  CLERK,
  QUESTION,
  answer,
  attemptOf,
  beginRespond,
  freshTenant,
  newPlace,
  newTurn,
  refusal,
  response,
  type Place,
  type TurnAt,
} from '../fixtures.ts';
import { rowsOf } from '../inspect.ts';

const summaryTo = (through: number, text = `All up to ${through}.`): ConversationSummary => ({
  text,
  through,
});

export function summarizing(database: TestDatabase): void {
  /** A turn of two items, whose answer asks for a summary up to a position. */
  async function answered(place: Place, summarize: number | null): Promise<TurnAt> {
    const { store } = database;
    const turn = await newTurn(store, place);
    await beginRespond(store, attemptOf(turn));
    await store.steps.settleResponse(
      attemptOf(turn),
      response([answer('It is on its way.')], { summarize }),
    );
    return turn;
  }

  const ended = async (place: Place, summarize: number | null) => {
    const turn = await answered(place, summarize);
    return database.store.turns.seal(turn.tenant, turn.turnId, { status: 'completed' });
  };

  /** Three turns, so six items, and a summary asked for up to the fourth. */
  async function outgrown(): Promise<Place> {
    const place = await newPlace(database.store);
    for (const wish of [null, null, 4]) await ended(place, wish);
    return place;
  }

  const workOf = ({ tenant, conversationId }: Place) =>
    database.store.summaries.work(tenant, conversationId);

  const extend = ({ tenant, conversationId }: Place, after: number, summary: ConversationSummary) =>
    database.store.summaries.extend(tenant, conversationId, { after, summary });

  const summaryOf = async ({ tenant, conversationId }: Place) =>
    (await database.store.conversations.get(tenant, conversationId)).summary;

  /** The sweep serves all tenants. */
  async function swept({ tenant }: Place, olderThanMs = 0) {
    const found = await database.store.sweep.outgrownConversations(olderThanMs, 1_000);
    return found.filter((each) => each.tenant === tenant);
  }

  const age = ({ conversationId }: Place, interval: string) =>
    database.sql(
      `UPDATE turnkeeper.conversations SET summary_wanted_at = summary_wanted_at - $2::interval WHERE id = $1`,
      [conversationId, interval],
    );

  test('is asked for by the call that needs it, and whoever seals the turn is told', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const { tenant, conversationId } = place;
    expect(await ended(place, null)).toMatchObject({ summarize: null });
    expect(await workOf(place)).toBeNull();
    const turn = await answered(place, 2);
    const sealed = await store.turns.seal(tenant, turn.turnId, { status: 'completed' });
    expect(sealed).toMatchObject({ won: true, summarize: { tenant, conversationId } });
    const again = await store.turns.seal(tenant, turn.turnId, { status: 'completed' });
    expect(again).toMatchObject({ won: false, summarize: { tenant, conversationId } });
  });

  test('is worked on from where the last one ends to where it was asked for', async () => {
    const place = await outgrown();
    expect(await workOf(place)).toMatchObject({
      summary: null,
      items: [1, 2, 3, 4].map((position) => ({ position })),
    });
    expect(await extend(place, 0, summaryTo(2))).toEqual({ more: true });
    expect(await workOf(place)).toMatchObject({
      summary: summaryTo(2),
      items: [{ position: 3, item: QUESTION }, { position: 4 }],
    });
    expect(await extend(place, 2, summaryTo(4))).toEqual({ more: false });
    expect(await workOf(place)).toBeNull();
    expect(await summaryOf(place)).toEqual(summaryTo(4));
  });

  test('is the business of the assistant that asked, as it was then', async () => {
    const { store } = database;
    const tenant = freshTenant();
    const definition = { ...CLERK, context: { maxTokens: 5_000 } };
    const { id: assistantId } = await store.assistants.create(tenant, definition);
    const conversation = await store.conversations.create(tenant, {
      endUser: 'anna',
      metadata: {},
    });
    const place = { tenant, assistantId, conversationId: conversation.id };
    await ended(place, 1);
    await store.assistants.update(tenant, assistantId, CLERK);
    expect(await workOf(place)).toMatchObject({ definition, endUser: 'anna' });
    await ended(place, 2);
    expect(await workOf(place)).toMatchObject({ definition: CLERK });
  });

  test('is asked for further, and never less far', async () => {
    const place = await outgrown();
    for (const wish of [2, 4]) {
      const before = await rowsOf(database, place.tenant);
      await ended(place, wish);
      const after = await rowsOf(database, place.tenant);
      const wished = (rows: typeof before) =>
        rows['conversations']?.map((row) => row.split(',').slice(-6));
      expect(wished(after)).toEqual(wished(before));
    }
    await ended(place, 6);
    expect((await workOf(place))?.items).toHaveLength(6);
  });

  test('is not asked for by an attempt that has lost its step', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const turn = await newTurn(store, place);
    await beginRespond(store, attemptOf(turn));
    await beginRespond(store, attemptOf(turn, undefined, 2));
    const late = store.steps.settleResponse(attemptOf(turn), response([], { summarize: 1 }));
    await expect(late).rejects.toEqual(refusal('step_fenced'));
    expect(await workOf(place)).toBeNull();
  });

  test('is begun by one, and asked for again only when more is wanted, or an hour has passed', async () => {
    const place = await outgrown();
    const { tenant, conversationId } = place;
    const wish = { tenant, conversationId };
    expect(await swept(place, 60_000)).toEqual([]);
    await age(place, '2 minutes');
    expect(await swept(place, 60_000)).toEqual([wish]);
    await workOf(place);
    expect(await swept(place)).toEqual([]);
    expect(await ended(place, null)).toMatchObject({ summarize: null });
    await age(place, '59 minutes');
    expect(await swept(place)).toEqual([]);
    await age(place, '2 minutes');
    expect(await swept(place)).toEqual([wish]);
    await workOf(place);
    expect(await ended(place, 6)).toMatchObject({ summarize: wish });
  });

  test('is wanted no more once it reaches as far as was asked', async () => {
    const place = await outgrown();
    await extend(place, 0, summaryTo(4));
    await age(place, '1 day');
    expect(await swept(place)).toEqual([]);
    expect(await ended(place, null)).toMatchObject({ summarize: null });
    expect(await ended(place, 4)).toMatchObject({ summarize: null });
  });

  test.each([
    ['from where it is not any more', 0, summaryTo(4)],
    ['by nothing', 2, summaryTo(2)],
    ['backwards', 2, summaryTo(1)],
    ['further than was asked for', 2, summaryTo(5)],
  ])('is not extended %s', async (_, after, summary) => {
    const place = await outgrown();
    await extend(place, 0, summaryTo(2));
    const before = await rowsOf(database, place.tenant);
    expect(await extend(place, after, summary)).toBeNull();
    expect(await rowsOf(database, place.tenant)).toEqual(before);
  });

  test('is one when many extend it at once', async () => {
    const place = await outgrown();
    const texts = Array.from({ length: 8 }, (_, n) => `Summary ${n}.`);
    const outcomes = await Promise.all(texts.map((text) => extend(place, 0, summaryTo(4, text))));
    const winners = texts.filter((_, n) => outcomes[n] !== null);
    expect(winners).toHaveLength(1);
    expect(await summaryOf(place)).toEqual(summaryTo(4, winners[0]));
  });

  test('is worked on in parts of some hundred items, and of some megabytes', async () => {
    const place = await outgrown();
    const { conversationId } = place;
    const fill = (from: number, to: number, characters: number) =>
      database.sql(
        `INSERT INTO turnkeeper.items (conversation_id, position, type, item)
         SELECT $1, n, 'message', json_build_object('type', 'message', 'content', repeat('x', $4::int))
         FROM generate_series($2::int, $3::int) n`,
        [conversationId, from, to, characters],
      );
    await fill(101, 700, 1);
    await database.sql('UPDATE turnkeeper.conversations SET summary_wanted = 900 WHERE id = $1', [
      conversationId,
    ]);
    expect((await workOf(place))?.items.map(({ position }) => position)).toEqual(
      [1, 2, 3, 4, 5, 6].concat(Array.from({ length: 494 }, (_, n) => 101 + n)),
    );
    await extend(place, 0, summaryTo(700));
    await fill(701, 706, 3_000_000);
    expect((await workOf(place))?.items).toHaveLength(3);
    await database.sql(
      `UPDATE turnkeeper.items SET item = json_build_object('type', 'x', 'x', repeat('x', 9000000))
       WHERE conversation_id = $1 AND position = 701`,
      [conversationId],
    );
    expect((await workOf(place))?.items).toHaveLength(1);
  });

  test('is not worked on where none of its items are there, as after a restore', async () => {
    const place = await outgrown();
    await database.sql('DELETE FROM turnkeeper.items WHERE conversation_id = $1 AND position < 5', [
      place.conversationId,
    ]);
    expect(await workOf(place)).toBeNull();
    expect(await swept(place)).toEqual([]);
  });

  test('takes the place of the items that are in it', async () => {
    const { store } = database;
    const place = await outgrown();
    await extend(place, 0, summaryTo(3));
    const turn = await newTurn(store, place);
    const context = await store.steps.loadContext(attemptOf(turn));
    expect(context).toMatchObject({ summary: summaryTo(3), summaryWanted: 4 });
    expect(context.items.map(({ position }) => position)).toEqual([4, 5, 6, 7]);
  });

  test('does not hide the turn’s own items, wherever they are', async () => {
    const { store } = database;
    const place = await outgrown();
    await extend(place, 0, summaryTo(4));
    const turn = await newTurn(store, place);
    await database.sql('UPDATE turnkeeper.items SET position = 0 WHERE turn_id = $1', [
      turn.turnId,
    ]);
    const { items } = await store.steps.loadContext(attemptOf(turn));
    expect(items.map(({ position }) => position)).toEqual([0, 5, 6]);
  });
}
