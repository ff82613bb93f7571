import type { Turn } from '../contracts/store.ts';
import { cancelFromOutside } from '../recovery/recovery.ts';
import { boolean, optional, shape } from './checks.ts';
import { compensateTurn } from './compensate-turn.ts';
import type { Parts } from './parts.ts';
import { waitFor } from './waiting.ts';
import { watchTurn } from './watch-turn.ts';

const WAIT_MS = 5_000;
const HEAL_EVERY_MS = 1_000;

export interface CancelTurn {
  /** Has what its tools did undone, however it ends: it may complete before it is cancelled. */
  compensate?: boolean;
}

export const checkCancel = shape({ compensate: optional(boolean) });

/** Asks for the end of a turn and waits a while for it. */
export async function cancelTurn(
  parts: Parts,
  turnId: string,
  { compensate = false }: CancelTurn,
): Promise<Turn> {
  const { store, starter, tenant } = parts;
  // Noted before it is cancelled: whoever seals it finds that, whatever becomes of us.
  const turn = compensate
    ? await compensateTurn(parts, turnId)
    : await store.turns.get(tenant, turnId);
  if (turn.state === 'sealed') return turn;
  if (turn.state !== 'started') return await cancelUnstarted(parts, turnId);
  await starter.cancel(turnId);
  return await untilSealed(parts, turnId);
}

async function cancelUnstarted(parts: Parts, turnId: string): Promise<Turn> {
  await cancelFromOutside(parts, parts.tenant, turnId);
  return await parts.store.turns.get(parts.tenant, turnId);
}

async function untilSealed(parts: Parts, turnId: string): Promise<Turn> {
  const look = watchTurn(parts, turnId, HEAL_EVERY_MS);
  const sealed = async () => {
    const turn = await look();
    return turn.state === 'sealed' ? turn : null;
  };
  try {
    return await waitFor(sealed, { timeoutMs: WAIT_MS });
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    return await parts.store.turns.get(parts.tenant, turnId);
  }
}
