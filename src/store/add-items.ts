import type { AddItems, ItemsAdded } from '../contracts/store.ts';
import { appendItems } from './append-items.ts';
import { Busy, lockConversation, unlessBusy } from './conversation-lock.ts';
import type { Database, Queryable } from './database.ts';
import { claimKey, resourceId } from './keys.ts';
import { enqueueItems, requireRoom } from './queue.ts';

/** Into the conversation when it is free, else behind all that waits for it, else nothing. */
export function addItems(
  db: Database,
  tenant: string,
  conversationId: string,
  request: AddItems,
): Promise<ItemsAdded> {
  return unlessBusy(db, tenant, (tx) => add(tx, tenant, conversationId, request));
}

async function add(
  tx: Queryable,
  tenant: string,
  conversationId: string,
  { items, maxQueued, key }: AddItems,
): Promise<{ kind: 'added' | 'queued' }> {
  const scope = `items:${conversationId}`;
  const id = resourceId(tenant, scope, key);
  if (!(await claimKey(tx, { tenant, scope, key, id })))
    return { kind: (await isQueued(tx, id)) ? 'queued' : 'added' };
  const { activeTurn } = await lockConversation(tx, tenant, conversationId);
  if (activeTurn === null) {
    const appended = items.map((item) => ({ item, createdAt: null }));
    await appendItems(tx, { conversationIds: [conversationId], turnId: null }, appended);
    return { kind: 'added' };
  }
  if (maxQueued === null) throw new Busy(activeTurn, { full: false });
  await requireRoom(tx, { conversationId, activeTurn }, maxQueued);
  await enqueueItems(tx, conversationId, { id, items });
  return { kind: 'queued' };
}

async function isQueued(tx: Queryable, id: string): Promise<boolean> {
  return (await tx.query('SELECT 1 FROM turnkeeper.queue WHERE id = $1', [id])).length > 0;
}
