import { vi } from 'vitest';
import type { JsonObject } from '../../src/contracts/json.ts';
import type { Action } from '../../src/contracts/store.ts';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { REAL_USAGE, SOON } from './talk.ts';
import type { World } from './world.ts';

/** A reply that asks for these calls; each has the id `call_<name>`. */
export function asking(calls: Record<string, JsonObject>): ScriptStep {
  return {
    kind: 'calls',
    calls: Object.entries(calls).map(([name, args]) => {
      return { name, arguments: args, callId: `call_${name}` };
    }),
    usage: REAL_USAGE,
  };
}

/** Waits until the turn waits; answers what it waits for. */
export async function untilWaiting(
  { turnkeeper }: World,
  { id }: { id: string },
): Promise<Action[]> {
  await vi.waitFor(async () => {
    const { status } = await turnkeeper.turns.get(id);
    if (status !== 'requires_action') throw new Error(`The turn is ${status}.`);
  }, SOON);
  return turnkeeper.turns.actions(id);
}

/** Waits until the turn's workflow waits as well, and not only its row. */
export async function untilAsleep({ temporal }: World, { id }: { id: string }): Promise<void> {
  await vi.waitFor(async () => {
    const { events } = await temporal.workflow.getHandle(id).fetchHistory();
    if (!events?.some((event) => event.timerStartedEventAttributes)) throw new Error('No timer.');
  }, SOON);
}
