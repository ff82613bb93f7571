import type { Turn } from '../contracts/store.ts';
import { startFollowUps } from '../recovery/recovery.ts';
import type { Parts } from './parts.ts';

/** Asks for the effects of a turn to be undone, and starts that where the turn has ended. */
export async function compensateTurn(parts: Parts, turnId: string): Promise<Turn> {
  const { store, starter, logger, tenant } = parts;
  const turn = await store.compensations.request(tenant, turnId);
  const isDue = turn.state === 'sealed' && turn.compensation === 'requested';
  const compensate = isDue ? { tenant, turnId } : null;
  await startFollowUps({ starter, logger }, { compensate, summarize: null });
  return turn;
}
