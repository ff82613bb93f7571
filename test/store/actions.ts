import type { ActionKind } from '../../src/contracts/actions.ts';
import type { Decision, Store, Submission, Turn } from '../../src/contracts/store.ts';
import { attemptOf, beginRespond, callItem, newTurn, response, type TurnAt } from './fixtures.ts';

export const TIMEOUT_MS = 3_600_000;
export const PARAMETERS = { type: 'object', properties: { amount: { type: 'number' } } };

export const answered = (callId: string, output = 'yes'): Decision => ({
  ...{ callId, hash: `answered ${JSON.stringify(output)}`, state: 'answered' },
  output,
});
export const approved = (callId: string, amount?: number): Decision => ({
  ...{ callId, hash: `approved ${amount}`, state: 'approved' },
  editedArguments: amount === undefined ? null : { amount },
});
export const denied = (callId: string, reason: string | null = null): Decision => ({
  ...{ callId, hash: `denied ${reason}`, state: 'denied', reason, compensate: false },
  output: 'denied',
});

/** A turn that waits for these calls. */
export async function waitingTurn(
  store: Store,
  calls: Record<string, ActionKind>,
  timeoutMs = TIMEOUT_MS,
): Promise<TurnAt> {
  const turn = await newTurn(store);
  await store.turns.markStarted(turn.tenant, turn.turnId);
  const ref = attemptOf(turn);
  await beginRespond(store, ref);
  const actions = Object.entries(calls).map(([callId, kind]) => {
    return { callId, kind, name: 'lookup', arguments: {} };
  });
  const toolDefinitions = [{ type: 'function', name: 'lookup', parameters: PARAMETERS }];
  const waiting = { actions, timeoutMs };
  const items = Object.keys(calls).map(callItem);
  await store.steps.settleResponse(ref, response(items, { toolDefinitions, waiting }));
  return turn;
}

export function submit(
  store: Store,
  { tenant, turnId }: TurnAt,
  decisions: Decision[],
  more: Partial<Submission> = {},
): Promise<Turn> {
  return store.actions.submit(tenant, turnId, { decisions, partial: false, ...more });
}

export const PARTIAL = { partial: true };
