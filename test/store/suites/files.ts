import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { NewFile } from '../../../src/contracts/store.ts';
import type { TestDatabase } from '../../support/stores.ts';
import { failure, freshTenant, newPlace, newTurn, type TurnAt } from '../fixtures.ts';
import { rowsOf } from '../inspect.ts';

const UNKNOWN = '00000000-0000-4000-8000-000000000000';

const file = ({ turnId }: TurnAt, key: string, more: Partial<NewFile> = {}): NewFile => ({
  turnId,
  name: `${key}.csv`,
  mediaType: 'text/csv',
  content: Buffer.from(key),
  key,
  ...more,
});

export function files(database: TestDatabase): void {
  test.each([0, 1, 1_048_576, 2_621_441])(
    'a file of %i bytes comes back byte for byte',
    async (size) => {
      const { store } = database;
      const turn = await newTurn(store);
      const content = randomBytes(size);
      const [record] = await store.files.create(turn.tenant, [file(turn, 'a', { content })]);
      expect(record).toMatchObject({ turnId: turn.turnId, name: 'a.csv', bytes: size });
      const id = record?.id ?? '';
      expect(content.equals(await store.files.read(turn.tenant, id))).toBe(true);
      expect(await store.files.get(turn.tenant, id)).toEqual(record);
    },
  );

  test('files of one call are answered in the order given', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const keys = ['c', 'a', 'd', 'b'];
    const made = await store.files.create(
      turn.tenant,
      keys.map((key) => file(turn, key)),
    );
    expect(made.map(({ name }) => name)).toEqual(keys.map((key) => `${key}.csv`));
    expect(await store.files.create(turn.tenant, [])).toEqual([]);
  });

  test('the same key gives the same file, and storing it again changes nothing', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const first = await store.files.create(turn.tenant, [file(turn, 'a'), file(turn, 'b')]);
    const before = await rowsOf(database, turn.tenant);
    const other = { name: 'z.txt', mediaType: 'text/plain', content: Buffer.from('other') };
    const again = [file(turn, 'b', other), file(turn, 'a', other)];
    expect(await store.files.create(turn.tenant, again)).toEqual(first.toReversed());
    expect(await rowsOf(database, turn.tenant)).toEqual(before);
  });

  test('the same keys at the same time make each file once', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const wanted = ['a', 'b', 'c', 'd', 'e'].map((key) => file(turn, key));
    const made = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        store.files.create(turn.tenant, n % 2 ? wanted : wanted.toReversed()),
      ),
    );
    expect(new Set(made.flat().map(({ id }) => id)).size).toBe(wanted.length);
    expect((await store.files.list(turn.tenant, {}, {})).data).toHaveLength(wanted.length);
    const kept = await rowsOf(database, turn.tenant);
    expect(kept['file_parts']).toHaveLength(wanted.length);
  });

  test('the same key of another tenant is another file', async () => {
    const { store } = database;
    const [mine, theirs] = [await newTurn(store), await newTurn(store)];
    const [first] = await store.files.create(mine.tenant, [file(mine, 'a')]);
    const [second] = await store.files.create(theirs.tenant, [file(theirs, 'a')]);
    expect(second?.id).not.toBe(first?.id);
  });

  test('a file for the turn of another tenant is refused, and so are all of its call', async () => {
    const { store } = database;
    const [mine, theirs] = [await newTurn(store), await newTurn(store)];
    const before = [await rowsOf(database, mine.tenant), await rowsOf(database, theirs.tenant)];
    const unknown = failure('turn_not_found');
    const mixed = store.files.create(mine.tenant, [file(mine, 'a'), file(theirs, 'b')]);
    await expect(mixed).rejects.toEqual(unknown);
    const nowhere = file(mine, 'a', { turnId: UNKNOWN });
    await expect(store.files.create(mine.tenant, [nowhere])).rejects.toEqual(unknown);
    const after = [await rowsOf(database, mine.tenant), await rowsOf(database, theirs.tenant)];
    expect(after).toEqual(before);
  });

  test('one that cannot be stored keeps the others of its call out', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const before = await rowsOf(database, turn.tenant);
    const bad = file(turn, 'b', { name: 'a\0b' });
    await expect(store.files.create(turn.tenant, [file(turn, 'a'), bad])).rejects.toThrow();
    expect(await rowsOf(database, turn.tenant)).toEqual(before);
  });

  test('files are listed by their turn, page by page', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const first = await newTurn(store, place);
    await store.turns.seal(place.tenant, first.turnId, { status: 'completed' });
    const second = await newTurn(store, place);
    for (const key of ['a', 'b', 'c']) await store.files.create(place.tenant, [file(first, key)]);
    await store.files.create(place.tenant, [file(second, 'd')]);
    const names = async (filter: { turnId?: string }, cursor?: string) => {
      const page = { limit: 2, ...(cursor !== undefined && { cursor }) };
      const { data, nextCursor } = await store.files.list(place.tenant, filter, page);
      return [data.map(({ name }) => name), nextCursor] as const;
    };
    const [head, cursor] = await names({ turnId: first.turnId });
    expect(head).toEqual(['a.csv', 'b.csv']);
    expect(await names({ turnId: first.turnId }, cursor ?? '')).toEqual([['c.csv'], null]);
    expect((await names({ turnId: second.turnId }))[0]).toEqual(['d.csv']);
    expect((await store.files.list(place.tenant, {}, {})).data).toHaveLength(4);
    const unknown = store.files.list(place.tenant, { turnId: UNKNOWN }, {});
    await expect(unknown).rejects.toEqual(failure('turn_not_found'));
  });

  test('an unknown file has neither record nor bytes', async () => {
    const { files: store } = database.store;
    const unknown = failure('file_not_found');
    await expect(store.get(freshTenant(), UNKNOWN)).rejects.toEqual(unknown);
    await expect(store.read(freshTenant(), UNKNOWN)).rejects.toEqual(unknown);
  });
}
