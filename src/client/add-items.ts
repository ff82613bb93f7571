import type { AddItems as AddToStore } from '../contracts/store.ts';
import { label, oneOf, optional, refuse, shape, type Check } from './checks.ts';
import { clearingTheWay } from './clear-the-way.ts';
import { historyItems, type HistoryItem } from './history-items.ts';
import type { Parts } from './parts.ts';
import { knownForm, requestKey } from './requests.ts';

export interface AddItems {
  items: HistoryItem[];
  /** While a turn holds the conversation: refused, the default, or queued behind all that waits for it. */
  whenBusy?: 'reject' | 'enqueue';
  /** 1–255 printable characters; holds for the life of the conversation. */
  idempotencyKey?: string;
}

export interface AddedItems {
  /** They come into the conversation once everything before them has ended. */
  queued: boolean;
}

const array: Check = (value, path) => {
  if (!Array.isArray(value)) refuse(path, 'must be an array of items');
};
const checkAdd = shape({
  items: array,
  whenBusy: optional(oneOf('reject', 'enqueue')),
  idempotencyKey: optional(label),
});

/** Adds items, healing the turn that holds the conversation. */
export async function addItems(parts: Parts, id: string, request: AddItems): Promise<AddedItems> {
  const wanted = addition(parts, request);
  const conversationId = knownForm(id, 'conversation_not_found');
  const { store, tenant } = parts;
  const { kind } = await clearingTheWay(parts, conversationId, () =>
    store.conversations.addItems(tenant, conversationId, wanted),
  );
  return { queued: kind === 'queued' };
}

function addition({ limits }: Parts, request: AddItems): AddToStore {
  checkAdd(request, '');
  const { idempotencyKey, whenBusy = 'reject', ...rest } = request;
  const items = historyItems(request.items, limits);
  // What is the default anyway is the same request with and without it.
  const [key] = requestKey(idempotencyKey, whenBusy === 'reject' ? rest : { ...rest, whenBusy });
  const maxQueued = whenBusy === 'enqueue' ? limits.maxQueuedTurns : null;
  return { items, maxQueued, ...(key && { key }) };
}
