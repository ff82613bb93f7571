import type { Turn } from '../contracts/store.ts';
import { heal } from '../recovery/heal.ts';
import type { Parts } from './parts.ts';

/** How often somebody who waits for a turn asks whether it is still alive. */
export const HEAL_EVERY_MS = 2_000;

/** Answers a look at the turn: its row, read anew. Looking again and again heals it now and then. */
export function watchTurn(
  parts: Parts,
  turnId: string,
  healEveryMs = HEAL_EVERY_MS,
): () => Promise<Turn> {
  let healedAt = Date.now();
  return async () => {
    const turn = await parts.store.turns.get(parts.tenant, turnId);
    if (turn.state === 'sealed' || Date.now() - healedAt < healEveryMs) return turn;
    const sealed = await heal(parts, parts.tenant, turn);
    healedAt = Date.now();
    return sealed ? await parts.store.turns.get(parts.tenant, turnId) : turn;
  };
}
