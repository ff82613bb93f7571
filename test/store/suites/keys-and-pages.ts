import { describe, expect, test } from 'vitest';
import type { RequestKey } from '../../../src/contracts/store.ts';
import type { TestDatabase } from '../../support/stores.ts';
import { CLERK, failure, freshTenant, keyOf } from '../fixtures.ts';
import { rowsOf } from '../inspect.ts';

const DOCUMENT = { base: 'manual', name: 'returns.md', mediaType: 'text/markdown' };

/** The three kinds of things that are made under a key of the tenant. */
function creators({ store }: TestDatabase) {
  return {
    assistant: (tenant: string, key?: RequestKey) => store.assistants.create(tenant, CLERK, key),
    conversation: (tenant: string, key?: RequestKey) =>
      store.conversations.create(tenant, { endUser: null, metadata: {} }, key),
    document: (tenant: string, key?: RequestKey) =>
      store.documents.create(tenant, {
        ...DOCUMENT,
        content: Buffer.from('text'),
        ...(key && { key }),
      }),
  };
}

const KINDS = ['assistant', 'conversation', 'document'] as const;

/** Ids of one page; the filters are empty. */
async function page(
  database: TestDatabase,
  kind: (typeof KINDS)[number],
  tenant: string,
  request: { limit?: number; cursor?: string; order?: 'asc' | 'desc' },
): Promise<{ ids: string[]; nextCursor: string | null }> {
  const { assistant, conversation, document } = lists(database);
  const found =
    kind === 'assistant'
      ? await assistant.list(tenant, request)
      : await (kind === 'conversation' ? conversation : document).list(tenant, {}, request);
  return { ids: found.data.map(({ id }) => id), nextCursor: found.nextCursor };
}

function lists({ store }: TestDatabase) {
  return {
    assistant: store.assistants,
    conversation: store.conversations,
    document: store.documents,
  };
}

export function keysAndPages(database: TestDatabase): void {
  describe.each(KINDS)('%s', (kind) => {
    const create = (tenant: string, key?: RequestKey) => creators(database)[kind](tenant, key);

    test('the same key and request make one', async () => {
      const tenant = freshTenant();
      const first = await create(tenant, keyOf('k'));
      expect(await create(tenant, keyOf('k'))).toEqual(first);
      expect((await page(database, kind, tenant, {})).ids).toEqual([first.id]);
    });

    test('the same key at the same time makes one', async () => {
      const tenant = freshTenant();
      const made = await Promise.all(Array.from({ length: 8 }, () => create(tenant, keyOf('k'))));
      expect(new Set(made.map(({ id }) => id)).size).toBe(1);
      expect((await page(database, kind, tenant, {})).ids).toHaveLength(1);
    });

    test('a used key with another request is a conflict and writes nothing', async () => {
      const tenant = freshTenant();
      await create(tenant, keyOf('k', 'one'));
      const before = await rowsOf(database, tenant);
      await expect(create(tenant, keyOf('k', 'two'))).rejects.toEqual(
        failure('idempotency_conflict'),
      );
      expect(await rowsOf(database, tenant)).toEqual(before);
    });

    test('without a key each request makes another', async () => {
      const tenant = freshTenant();
      const ids = [(await create(tenant)).id, (await create(tenant)).id];
      expect(new Set(ids).size).toBe(2);
    });

    test('the same key of another tenant or for another kind is another key', async () => {
      const [tenant, other] = [freshTenant(), freshTenant()];
      const made = [await create(tenant, keyOf('k')), await create(other, keyOf('k', 'two'))];
      for (const another of KINDS.filter((name) => name !== kind)) {
        made.push(await creators(database)[another](tenant, keyOf('k', 'two')));
      }
      expect(new Set(made.map(({ id }) => id)).size).toBe(4);
    });

    test('pages walk the list once, also while it grows', async () => {
      const tenant = freshTenant();
      const ids: string[] = [];
      const add = async () => ids.push((await create(tenant)).id);
      for (let n = 0; n < 5; n++) await add();
      const first = await page(database, kind, tenant, { limit: 2 });
      await add();
      const second = await page(database, kind, tenant, {
        limit: 2,
        ...(first.nextCursor && { cursor: first.nextCursor }),
      });
      const third = await page(database, kind, tenant, {
        limit: 2,
        ...(second.nextCursor && { cursor: second.nextCursor }),
      });
      expect([first.ids, second.ids, third.ids].flat()).toEqual(ids);
      expect(third.nextCursor).toBeNull();
    });

    test('the newest come first on request, and what is added meanwhile is not mixed in', async () => {
      const tenant = freshTenant();
      const ids: string[] = [];
      for (let n = 0; n < 4; n++) ids.unshift((await create(tenant)).id);
      const first = await page(database, kind, tenant, { limit: 3, order: 'desc' });
      await create(tenant);
      const second = await page(database, kind, tenant, {
        limit: 3,
        order: 'desc',
        ...(first.nextCursor && { cursor: first.nextCursor }),
      });
      expect([...first.ids, ...second.ids]).toEqual(ids);
      expect(second.nextCursor).toBeNull();
    });

    test.each([0, 101, 1.5, Number.NaN])('a page of %s is refused', async (limit) => {
      await expect(page(database, kind, freshTenant(), { limit })).rejects.toEqual(
        failure('invalid_request'),
      );
    });

    test.each(['', '!', 'MTI7', Buffer.from('-1').toString('base64url'), '12'])(
      'the cursor %j is refused',
      async (cursor) => {
        await expect(page(database, kind, freshTenant(), { cursor })).rejects.toEqual(
          failure('invalid_cursor'),
        );
      },
    );
  });
}
