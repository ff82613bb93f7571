import { randomBytes, randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { KeyOwner, WrappedKey } from '../../../src/contracts/store.ts';
import type { TestDatabase } from '../../support/stores.ts';
import { freshTenant, newPlace, newTurn } from '../fixtures.ts';

const freshKey = (wrappedBy = 'one'): WrappedKey => ({
  id: randomUUID(),
  wrapped: randomBytes(60),
  wrappedBy,
});

export function keys(database: TestDatabase): void {
  test('a conversation has one key, whoever asks and for whichever turn', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const first = await newTurn(store, place);
    await store.turns.seal(place.tenant, first.turnId, { status: 'completed' });
    const second = await newTurn(store, place);
    const owners: KeyOwner[] = [
      { kind: 'turn', id: first.turnId },
      { kind: 'turn', id: second.turnId },
      { kind: 'conversation', id: place.conversationId },
    ];
    const asked = [...owners, ...owners, ...owners];
    const found = await Promise.all(asked.map((owner) => store.keys.ensure(owner, freshKey())));
    const [key] = found;
    expect(key).not.toBeNull();
    expect(new Set(found.map((one) => one?.id)).size).toBe(1);
    expect(await store.keys.find(key?.id ?? '')).toEqual(key);
  });

  test('a key comes back byte for byte', async () => {
    const { store } = database;
    const { conversationId: id } = await newPlace(store);
    const fresh = freshKey();
    const kept = await store.keys.ensure({ kind: 'conversation', id }, fresh);
    expect(Buffer.from(fresh.wrapped).equals(kept?.wrapped ?? Buffer.of())).toBe(true);
    expect(kept).toMatchObject({ id: fresh.id, wrappedBy: 'one' });
  });

  test('a document has a key of its own', async () => {
    const { store } = database;
    const content = Buffer.from('text');
    const document = { base: 'b', name: 'n', mediaType: 'text/plain', content };
    const { id } = await store.documents.create(freshTenant(), document);
    const owner = { kind: 'document', id } as const;
    const key = await store.keys.ensure(owner, freshKey());
    expect(await store.keys.ensure(owner, freshKey())).toEqual(key);
  });

  test('nothing that is not here has one', async () => {
    const { keys: store } = database.store;
    for (const kind of ['turn', 'conversation', 'document'] as const)
      expect(await store.ensure({ kind, id: randomUUID() }, freshKey())).toBeNull();
    for (const id of [randomUUID(), 'no-uuid', '']) expect(await store.find(id)).toBeNull();
  });

  test('keys of other wrappers are wrapped anew, each once', async () => {
    const { store } = database;
    const [old, next] = [`old-${randomUUID()}`, `new-${randomUUID()}`];
    const { conversationId: id } = await newPlace(store);
    const key = await store.keys.ensure({ kind: 'conversation', id }, freshKey(old));
    const wrappers = async () => (await store.keys.wrappers()).map(({ wrappedBy }) => wrappedBy);
    expect(await store.keys.wrappers()).toContainEqual(key);
    const others = await store.keys.wrappedByOthers(next, 1_000);
    expect(others).toContainEqual(key);
    const anew = { ...freshKey(next), id: key?.id ?? '' };
    expect(await store.keys.rewrap(anew, old)).toBe(true);
    expect(await store.keys.rewrap(anew, old)).toBe(false);
    expect(await store.keys.find(anew.id)).toMatchObject({ wrappedBy: next });
    expect(await wrappers()).not.toContain(old);
  });
}
