import type { Item } from '../../src/contracts/json.ts';
import type { AcceptTurn, Store, TurnStatus, WhenBusy } from '../../src/contracts/store.ts';
import type { TestDatabase } from '../support/stores.ts';
import { itemsOf, newTurn, type Place, type TurnAt } from './fixtures.ts';

export const ENQUEUE: WhenBusy = { policy: 'enqueue', maxQueued: 20 };

export const messageOf = (content: string): Item => ({ type: 'message', role: 'user', content });

/** A turn behind others, whose input says its name. */
export function waiting(
  store: Store,
  place: Place,
  name: string,
  more: Partial<AcceptTurn> = {},
): Promise<TurnAt> {
  return newTurn(store, place, { items: [messageOf(name)], whenBusy: ENQUEUE, ...more });
}

export async function statusOf(
  { store }: TestDatabase,
  { tenant, turnId }: TurnAt,
): Promise<[TurnStatus, string | null]> {
  const { status, reason } = await store.turns.get(tenant, turnId);
  return [status, reason];
}

/** What was said in a conversation, each item by its text. */
export async function said({ store }: TestDatabase, place: Place): Promise<unknown[]> {
  return (await itemsOf(store, place)).map(({ content }) => content);
}

export async function holderOf(
  { store }: TestDatabase,
  { tenant, conversationId }: Place,
): Promise<string | null> {
  return (await store.conversations.get(tenant, conversationId)).activeTurn;
}

export async function passDeadline(database: TestDatabase, { turnId }: TurnAt): Promise<void> {
  await database.sql(
    "UPDATE turnkeeper.turns SET deadline = now() - interval '1 second' WHERE id = $1",
    [turnId],
  );
}

/** A turn that comes in the place of the one that holds the conversation. */
export function interrupting(store: Store, place: Place, name: string): Promise<TurnAt> {
  return newTurn(store, place, { items: [messageOf(name)], whenBusy: { policy: 'interrupt' } });
}
