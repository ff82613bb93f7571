import type { Ending } from '../../src/contracts/turn.ts';
import type { TestDatabase } from '../support/stores.ts';
import {
  beginCompensation,
  beginTool,
  compensateStep,
  itemsOf,
  toolResult,
  toolStep,
  turnWithCalls,
  type Place,
  type TurnAt,
} from './fixtures.ts';

export const ERROR = { reason: 'timeout', message: 'Late.' };

/** A turn under way: `a` took effect and can be undone. */
export async function turnAfterCall({ store }: TestDatabase, ...others: string[]): Promise<TurnAt> {
  const turn = await turnWithCalls(store, 'a', ...others);
  await beginTool(store, toolStep(turn, 'a'), 'a', true);
  await store.steps.settleTool(toolStep(turn, 'a'), toolResult('a'));
  return turn;
}

export async function seal(database: TestDatabase, turn: TurnAt, ending: Ending) {
  if (ending.status === 'expired')
    await database.sql('UPDATE turnkeeper.turns SET deadline = now() WHERE id = $1', [turn.turnId]);
  return database.store.turns.seal(turn.tenant, turn.turnId, ending);
}

export const request = ({ store }: TestDatabase, { tenant, turnId }: TurnAt) =>
  store.compensations.request(tenant, turnId);

export const compensationOf = async ({ store }: TestDatabase, { tenant, turnId }: TurnAt) =>
  (await store.turns.get(tenant, turnId)).compensation;

export const effectsOf = async ({ store }: TestDatabase, { tenant, turnId }: TurnAt) =>
  (await store.compensations.effects(tenant, turnId)).map(({ callId }) => callId);

/** Undoes the effects that are left, with this result, and closes the compensation. */
export async function undoAll(
  database: TestDatabase,
  turn: TurnAt,
  result: typeof ERROR | null = null,
) {
  const { compensations } = database.store;
  for (const callId of await effectsOf(database, turn)) {
    await beginCompensation(database.store, compensateStep(turn, callId));
    await compensations.settle(compensateStep(turn, callId), result);
  }
  await compensations.close(turn.tenant, turn.turnId);
}

/** What the developer tells in the conversation, in order. */
export async function notesOf(
  { store }: Pick<TestDatabase, 'store'>,
  place: Place,
): Promise<string[]> {
  const items = await itemsOf(store, place);
  return items.filter(({ role }) => role === 'developer').map((item) => JSON.stringify(item));
}
