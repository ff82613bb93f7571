import { TurnkeeperError } from '../contracts/errors.ts';
import type { Refused } from '../contracts/store.ts';
import { heal } from '../recovery/heal.ts';
import type { Parts } from './parts.ts';

/** A dead turn found in the way is cleared away and the next one may be dead too; then we leave it to the caller. */
const TRIES = 3;

/**
 * Asks for what needs the conversation, healing the turn that holds it.
 * @throws TurnkeeperError `conversation_busy`, `queue_full`
 */
export async function clearingTheWay<T extends { kind: string }>(
  parts: Parts,
  conversationId: string,
  ask: () => Promise<T | Refused>,
): Promise<Exclude<T, Refused>> {
  for (let tries = 1; ; tries++) {
    const answer = await ask();
    if (!isRefused(answer)) return answer as Exclude<T, Refused>;
    const sealed = await heal(parts, parts.tenant, answer.active, answer.activeInput);
    if (!sealed || tries === TRIES) throw held(conversationId, answer, parts.limits.maxQueuedTurns);
  }
}

function isRefused(answer: { kind: string }): answer is Refused {
  return answer.kind === 'busy';
}

function held(
  conversationId: string,
  { active, full }: Refused,
  maxQueuedTurns: number,
): TurnkeeperError {
  const what = `Conversation ${conversationId} is held by turn ${active.id} (${active.status})`;
  if (!full) return new TurnkeeperError('conversation_busy', `${what}.`, { activeTurn: active.id });
  const details = { activeTurn: active.id, limit: 'maxQueuedTurns', max: maxQueuedTurns };
  return new TurnkeeperError('queue_full', `${what}, and ${maxQueuedTurns} wait for it.`, details);
}
