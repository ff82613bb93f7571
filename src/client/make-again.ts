import type { EditTurn as StoredEdit, TryAgain, Turn } from '../contracts/store.ts';
import { startOrLeave } from '../recovery/recovery.ts';
import { boolean, label, optional, shape, type Check } from './checks.ts';
import { clearingTheWay } from './clear-the-way.ts';
import { compensateTurn } from './compensate-turn.ts';
import { inputItems, type InputItem } from './input.ts';
import type { Parts } from './parts.ts';
import { requestKey } from './requests.ts';

/** Keys are as those of `turns.start`, and hold for retries, regenerations or edits of this turn alone. */
export interface RetryTurn {
  idempotencyKey?: string;
}

export interface RegenerateTurn {
  idempotencyKey?: string;
  /** What the turn's tools did is undone where they can; the new turn does not wait for it. */
  compensate?: boolean;
}

export interface EditTurn {
  /** A string is one message of the user. */
  input: string | InputItem[];
  idempotencyKey?: string;
}

const anything: Check = () => undefined;
const checkRetry = shape({ idempotencyKey: optional(label) });
const checkRegenerate = shape({ idempotencyKey: optional(label), compensate: optional(boolean) });
const checkEdit = shape({ input: anything, idempotencyKey: optional(label) });

export function retryTurn(parts: Parts, turnId: string, request: RetryTurn): Promise<Turn> {
  checkRetry(request, '');
  const [key] = requestKey(request.idempotencyKey, {});
  return makeAgain(parts, { turnId, kind: 'retry', ...(key && { key }) });
}

export async function regenerateTurn(
  parts: Parts,
  turnId: string,
  request: RegenerateTurn,
): Promise<Turn> {
  checkRegenerate(request, '');
  const { idempotencyKey, compensate = false } = request;
  const [key] = requestKey(idempotencyKey, compensate ? { compensate } : {});
  const turn = await makeAgain(parts, {
    ...{ turnId, kind: 'regenerate' as const },
    ...(compensate && { compensate }),
    ...(key && { key }),
  });
  // It is requested already: this starts it.
  if (compensate) await compensateTurn(parts, turnId);
  return turn;
}

async function makeAgain(parts: Parts, request: TryAgain): Promise<Turn> {
  const { store, tenant } = parts;
  const { conversationId } = await store.turns.get(tenant, request.turnId);
  const { turn, input } = await clearingTheWay(parts, conversationId, () =>
    store.turns.again(tenant, request),
  );
  if (turn.state === 'accepted') await startOrLeave(parts, input);
  return turn;
}

export async function editTurn(parts: Parts, turnId: string, request: EditTurn): Promise<Turn> {
  checkEdit(request, '');
  const { idempotencyKey, input: given } = request;
  const [key] = requestKey(idempotencyKey, { input: given });
  const edit: StoredEdit = {
    turnId,
    items: inputItems(given, parts.limits),
    ...(key && { key }),
  };
  const { turn, input } = await parts.store.turns.edit(parts.tenant, edit);
  if (turn.state === 'accepted') await startOrLeave(parts, input);
  return turn;
}
