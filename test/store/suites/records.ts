import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { JsonObject } from '../../../src/contracts/json.ts';
import type { NewDocument } from '../../../src/contracts/store.ts';
import type { TestDatabase } from '../../support/stores.ts';
import {
  CLERK,
  QUESTION,
  failure,
  freshTenant,
  newPlace,
  newTurn,
  response,
  attemptOf,
  beginRespond,
} from '../fixtures.ts';

const UNKNOWN = '00000000-0000-4000-8000-000000000000';

/** Everything that JSON can say and a database is tempted to tidy up. */
const AWKWARD = JSON.parse(
  `{"z":1,"a":{"nul":"a\\u0000b","half":"\\ud83d","pair":"😀","__proto__":{"kept":true}},
    "big":1e300,"small":5e-324,"whole":9007199254740991,"duplicate":1,"":[],"n":null}`,
) as JsonObject;

const document = (content: Uint8Array, more: Partial<NewDocument> = {}): NewDocument => ({
  base: 'manual',
  name: 'returns.md',
  mediaType: 'text/markdown',
  content,
  ...more,
});

export function records(database: TestDatabase): void {
  test('an assistant keeps every version, and gives the newest unless another is named', async () => {
    const { store } = database;
    const tenant = freshTenant();
    const { id } = await store.assistants.create(tenant, CLERK);
    const second = await store.assistants.update(tenant, id, { ...CLERK, model: 'large' });
    expect(second).toMatchObject({ id, version: 2, definition: { model: 'large' } });
    expect(await store.assistants.get(tenant, id)).toEqual(second);
    expect(await store.assistants.get(tenant, id, 1)).toMatchObject({
      version: 1,
      definition: CLERK,
    });
    expect((await store.assistants.list(tenant, {})).data).toEqual([second]);
  });

  test('updates at the same time get versions of their own', async () => {
    const { store } = database;
    const tenant = freshTenant();
    const { id } = await store.assistants.create(tenant, CLERK);
    const updates = Array.from({ length: 8 }, () => store.assistants.update(tenant, id, CLERK));
    const versions = (await Promise.all(updates)).map(({ version }) => version);
    expect(versions.sort((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('an assistant or version that is not there is unknown', async () => {
    const { store } = database;
    const tenant = freshTenant();
    const { id } = await store.assistants.create(tenant, CLERK);
    const unknown = failure('assistant_not_found');
    await expect(store.assistants.get(tenant, UNKNOWN)).rejects.toEqual(unknown);
    await expect(store.assistants.get(tenant, id, 2)).rejects.toEqual(unknown);
    await expect(store.assistants.update(tenant, UNKNOWN, CLERK)).rejects.toEqual(unknown);
  });

  test('a definition comes back as it was sent, in the order it was sent', async () => {
    const tenant = freshTenant();
    const definition = { ...CLERK, instructions: 'a\u0000b', modelOptions: AWKWARD };
    const { id } = await database.store.assistants.create(tenant, definition);
    const kept = await database.store.assistants.get(tenant, id);
    expect(JSON.stringify(kept.definition)).toBe(JSON.stringify(definition));
  });

  test('conversations are found by their end user', async () => {
    const { store } = database;
    const tenant = freshTenant();
    const create = (endUser: string | null) =>
      store.conversations.create(tenant, { endUser, metadata: {} });
    const [anna] = [await create('anna'), await create('ben'), await create(null)];
    const again = await create('anna');
    const found = await store.conversations.list(tenant, { endUser: 'anna' }, {});
    expect(found.data).toEqual([anna, again]);
    expect((await store.conversations.list(tenant, {}, {})).data).toHaveLength(4);
    expect((await store.conversations.list(tenant, { endUser: 'carl' }, {})).data).toEqual([]);
  });

  test('metadata comes back as it was sent, in the order it was sent', async () => {
    const { store } = database;
    const tenant = freshTenant();
    const { id } = await store.conversations.create(tenant, { endUser: null, metadata: AWKWARD });
    const kept = await store.conversations.get(tenant, id);
    expect(JSON.stringify(kept.metadata)).toBe(JSON.stringify(AWKWARD));
  });

  test('an unknown conversation has no record, no items and no turns', async () => {
    const { conversations, turns } = database.store;
    const tenant = freshTenant();
    const unknown = failure('conversation_not_found');
    await expect(conversations.get(tenant, UNKNOWN)).rejects.toEqual(unknown);
    await expect(conversations.items(tenant, UNKNOWN, {}, {})).rejects.toEqual(unknown);
    await expect(turns.list(tenant, UNKNOWN, {})).rejects.toEqual(unknown);
  });

  test('items are paged by position and can be those of one turn', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const first = await newTurn(store, place);
    await beginRespond(store, attemptOf(first));
    await store.steps.settleResponse(attemptOf(first), response());
    await store.turns.seal(place.tenant, first.turnId, { status: 'completed' });
    const second = await newTurn(store, place);
    const items = (filter: { turnId?: string }, request: { limit?: number; cursor?: string }) =>
      store.conversations.items(place.tenant, place.conversationId, filter, request);
    const all = await items({}, {});
    expect(all.data.map(({ turnId }) => turnId)).toEqual([
      first.turnId,
      first.turnId,
      second.turnId,
    ]);
    const head = await items({}, { limit: 2 });
    expect(head.data).toEqual(all.data.slice(0, 2));
    const tail = await items({}, { limit: 2, ...(head.nextCursor && { cursor: head.nextCursor }) });
    expect(tail).toEqual({ data: all.data.slice(2), nextCursor: null });
    expect((await items({ turnId: second.turnId }, {})).data).toMatchObject([{ item: QUESTION }]);
    const elsewhere = await newTurn(store, await newPlace(store, place.tenant));
    expect((await items({ turnId: elsewhere.turnId }, {})).data).toEqual([]);
    await expect(items({ turnId: UNKNOWN }, {})).rejects.toEqual(failure('turn_not_found'));
  });

  test.each([0, 1, 1_048_576, 2_621_441])(
    'a document of %i bytes comes back byte for byte',
    async (size) => {
      const { documents } = database.store;
      const tenant = freshTenant();
      const content = randomBytes(size);
      const { id, bytes } = await documents.create(tenant, document(content));
      expect(bytes).toBe(size);
      expect(content.equals(await documents.read(tenant, id))).toBe(true);
    },
  );

  test('documents are found by their knowledge base', async () => {
    const { documents } = database.store;
    const tenant = freshTenant();
    const text = Buffer.from('text');
    const [manual] = [
      await documents.create(tenant, document(text)),
      await documents.create(tenant, document(text, { base: 'prices' })),
    ];
    expect((await documents.list(tenant, { base: 'manual' }, {})).data).toEqual([manual]);
    expect((await documents.list(tenant, { base: 'none' }, {})).data).toEqual([]);
  });

  test('a document is stored until it was indexed or failed, and a failure never undoes an index', async () => {
    const { documents } = database.store;
    const tenant = freshTenant();
    const { id, status } = await documents.create(tenant, document(Buffer.from('text')));
    expect(status).toBe('stored');
    const error = { reason: 'document_rejected', message: 'a\u0000b' };
    await documents.markFailed(tenant, id, error);
    expect(await documents.get(tenant, id)).toMatchObject({ status: 'failed', error });
    await documents.markIndexed(tenant, id, 3);
    const indexed = { status: 'indexed', chunks: 3, error: null };
    expect(await documents.get(tenant, id)).toMatchObject(indexed);
    await documents.markFailed(tenant, id, error);
    expect(await documents.get(tenant, id)).toMatchObject(indexed);
  });

  test('an unknown document has neither record nor bytes', async () => {
    const { documents } = database.store;
    const unknown = failure('document_not_found');
    await expect(documents.get(freshTenant(), UNKNOWN)).rejects.toEqual(unknown);
    await expect(documents.read(freshTenant(), UNKNOWN)).rejects.toEqual(unknown);
  });
}
