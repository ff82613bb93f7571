import type { Accepted, Store, TryAgain, Turn } from '../../src/contracts/store.ts';
import type { Place, TurnAt } from './fixtures.ts';

export function accepted(answered: Accepted): { turn: Turn; input: { retrieve: boolean } } {
  if (answered.kind === 'busy') throw new Error('The conversation was held.');
  return answered;
}

export async function again(
  store: Store,
  at: TurnAt,
  more: Partial<TryAgain> = {},
): Promise<TurnAt> {
  const request: TryAgain = { turnId: at.turnId, kind: 'retry', ...more };
  return { ...at, turnId: accepted(await store.turns.again(at.tenant, request)).turn.id };
}

export const everyItem = async (store: Store, { tenant, conversationId }: Place) =>
  (await store.conversations.items(tenant, conversationId, { superseded: true }, { limit: 100 }))
    .data;
