import { TurnkeeperError } from '../contracts/errors.ts';
import type { AcceptTurn, Turn } from '../contracts/store.ts';
import { heal } from '../recovery/heal.ts';
import { startOrLeave } from '../recovery/recovery.ts';
import { integer, label, optional, refuse, shape, type Check } from './checks.ts';
import { inputItems, type InputItem } from './input.ts';
import type { Parts } from './parts.ts';
import { knownForm, requestKey } from './requests.ts';

export interface StartTurn {
  conversationId: string;
  assistantId: string;
  /** The newest by default. */
  assistantVersion?: number;
  /** A string is one message of the user. */
  input: string | InputItem[];
  /**
   * 1–255 printable characters; holds for the life of the conversation. Keys are the tenant's, not a user's: whoever sends
   * one with the same request gets the turn. Put who asks into a key that somebody else chose.
   */
  idempotencyKey?: string;
  /**
   * What happens when nobody reads the turn's events: it goes on, which is the default, or it is cancelled once the last
   * reader has been gone for so many milliseconds (1,000 to 86,400,000). Until the first one comes, they count from its start.
   */
  onDisconnect?: 'continue' | { cancelAfterMs: number };
}

/** A dead turn found in the way is cleared away and the next one may be dead too; then we leave it to the caller. */
const TRIES = 3;

const anything: Check = () => undefined;
const checkCancelAfter = shape({ cancelAfterMs: integer(1_000, 86_400_000) });
const checkOnDisconnect: Check = (value, path) => {
  if (typeof value !== 'string') return checkCancelAfter(value, path);
  if (value !== 'continue') refuse(path, 'must be "continue" or have cancelAfterMs');
};
const checkStart = shape({
  conversationId: anything,
  assistantId: anything,
  assistantVersion: optional(integer(1, 2_147_483_647)),
  input: anything,
  idempotencyKey: optional(label),
  onDisconnect: optional(checkOnDisconnect),
});

/** Accepts a turn, healing the one that holds the conversation, and starts it. */
export async function startTurn(parts: Parts, request: StartTurn): Promise<Turn> {
  const wanted = acceptance(parts, request);
  for (let tries = 1; ; tries++) {
    const accepted = await parts.store.turns.accept(parts.tenant, wanted);
    if (accepted.kind !== 'busy') {
      // From here on the turn is durable, and the call succeeds whatever happens.
      if (accepted.turn.state === 'accepted') await startOrLeave(parts, accepted.input);
      return accepted.turn;
    }
    const sealed = await heal(parts, parts.tenant, accepted.active, accepted.activeInput);
    if (!sealed || tries === TRIES) throw busy(wanted.conversationId, accepted.active);
  }
}

function acceptance(parts: Parts, request: StartTurn): AcceptTurn {
  checkStart(request, '');
  const { idempotencyKey, onDisconnect = 'continue', ...rest } = request;
  const { assistantVersion } = request;
  // What is the default anyway is the same request with and without it.
  const sent = onDisconnect === 'continue' ? rest : { ...rest, onDisconnect };
  const items = inputItems(request.input, parts.limits);
  const [key] = requestKey(idempotencyKey, sent);
  return {
    conversationId: knownForm(request.conversationId, 'conversation_not_found'),
    assistantId: knownForm(request.assistantId, 'assistant_not_found'),
    items,
    ...(assistantVersion === undefined ? {} : { assistantVersion }),
    ...(onDisconnect === 'continue' ? {} : { cancelAfterMs: onDisconnect.cancelAfterMs }),
    ...(key ? { key } : {}),
  };
}

function busy(conversationId: string, active: Turn): TurnkeeperError {
  return new TurnkeeperError(
    'conversation_busy',
    `Conversation ${conversationId} is held by turn ${active.id} (${active.status}).`,
    { activeTurn: active.id },
  );
}
