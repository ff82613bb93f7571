import type { AcceptTurn, Turn, WhenBusy } from '../contracts/store.ts';
import { interruptOrLeave } from '../recovery/interrupt.ts';
import { startOrLeave } from '../recovery/recovery.ts';
import { integer, label, oneOf, optional, refuse, shape, type Check } from './checks.ts';
import { clearingTheWay } from './clear-the-way.ts';
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
   * 1–255 printable characters; holds for turns of this conversation, as long as that lives: in another one it starts another
   * turn. Keys are the tenant's, not a user's: whoever sends one with the same request gets the turn. Put who asks into a
   * key that somebody else chose.
   */
  idempotencyKey?: string;
  /**
   * What happens when nobody reads the turn's events: it goes on, which is the default, or it is cancelled once the last
   * reader has been gone for so many milliseconds (1,000 to 86,400,000). Until the first one comes, they count from its start.
   */
  onDisconnect?: 'continue' | { cancelAfterMs: number };
  /**
   * What happens when another turn holds the conversation. `reject`, the default: this one is refused. `enqueue`: it waits
   * until everything that came before it has ended, for as long as a turn of its assistant may take. `interrupt`: that one
   * is cancelled in its favour, and turns that wait are cancelled too (`superseded`); of two such the later one wins.
   */
  whenBusy?: 'reject' | WhenBusy['policy'];
}

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
  whenBusy: optional(oneOf('reject', 'enqueue', 'interrupt')),
});

/** Accepts a turn, healing the one that holds the conversation, and starts it or what makes room for it. */
export async function startTurn(parts: Parts, request: StartTurn): Promise<Turn> {
  const { store, tenant } = parts;
  const wanted = acceptance(parts, request);
  const { turn, input } = await clearingTheWay(parts, wanted.conversationId, () =>
    store.turns.accept(tenant, wanted),
  );
  // From here on the turn is durable, and the call succeeds whatever happens.
  if (turn.state === 'accepted') await startOrLeave(parts, input);
  if (turn.state === 'queued' && turn.interrupts !== null)
    await interruptOrLeave(parts, tenant, turn.interrupts);
  return turn;
}

function acceptance(parts: Parts, request: StartTurn): AcceptTurn {
  checkStart(request, '');
  const { idempotencyKey, onDisconnect = 'continue', whenBusy = 'reject', ...rest } = request;
  const { assistantVersion } = request;
  // What is the default anyway is the same request with and without it.
  const sent = {
    ...rest,
    ...(onDisconnect !== 'continue' && { onDisconnect }),
    ...(whenBusy !== 'reject' && { whenBusy }),
  };
  const items = inputItems(request.input, parts.limits);
  const [key] = requestKey(idempotencyKey, sent);
  return {
    conversationId: knownForm(request.conversationId, 'conversation_not_found'),
    assistantId: knownForm(request.assistantId, 'assistant_not_found'),
    items,
    ...(assistantVersion === undefined ? {} : { assistantVersion }),
    ...(onDisconnect === 'continue' ? {} : { cancelAfterMs: onDisconnect.cancelAfterMs }),
    ...(whenBusy === 'reject' ? {} : { whenBusy: waiting(whenBusy, parts.limits) }),
    ...(key ? { key } : {}),
  };
}

function waiting(policy: WhenBusy['policy'], { maxQueuedTurns }: Parts['limits']): WhenBusy {
  return policy === 'enqueue' ? { policy, maxQueued: maxQueuedTurns } : { policy };
}
