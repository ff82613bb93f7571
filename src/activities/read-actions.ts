import type { ActionsRead } from '../contracts/actions.ts';
import type { ReadActionsInput } from '../contracts/turn.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { throwingFailures } from './failures.ts';

/** How it stands with the calls that a turn waits for. */
export function createReadActions({ store }: Pick<ActivityDependencies, 'store'>) {
  return ({ tenant, turnId, callIds }: ReadActionsInput): Promise<ActionsRead> =>
    throwingFailures(() => store.actions.read(tenant, turnId, callIds));
}
