import type { Turn } from '../contracts/store.ts';
import { sealAndHandOver, turnFields } from '../recovery/recovery.ts';
import type { Parts } from './parts.ts';
import { waitFor } from './waiting.ts';
import { watchTurn } from './watch-turn.ts';

const WAIT_MS = 5_000;
const HEAL_EVERY_MS = 1_000;

/** Asks for the end of a turn and waits a while for it. */
export async function cancelTurn(parts: Parts, turnId: string): Promise<Turn> {
  const { store, starter, tenant } = parts;
  const turn = await store.turns.get(tenant, turnId);
  if (turn.state === 'sealed') return turn;
  if (turn.state !== 'started') return await cancelUnstarted(parts, turnId);
  await starter.cancel(turnId);
  return await untilSealed(parts, turnId);
}

/** No workflow would close it: its row is sealed here. One that was started meanwhile finds it sealed. */
async function cancelUnstarted(parts: Parts, turnId: string): Promise<Turn> {
  const { store, starter, tenant, logger } = parts;
  await sealAndHandOver(parts, tenant, turnId, { status: 'cancelled' });
  await starter.cancel(turnId).catch((error: unknown) => {
    logger.warn(
      'workflow of a cancelled turn not cancelled',
      turnFields({ tenant, turnId }, error),
    );
  });
  return await store.turns.get(tenant, turnId);
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
