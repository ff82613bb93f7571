import type { CountReconciled, Reconciled } from '../contracts/reconciled.ts';
import type { Chore } from './chores.ts';

/** The chore, counted under this kind. */
export function counted(chore: Chore, kind: Reconciled, count: CountReconciled): Chore {
  return {
    ...chore,
    async run() {
      const done = await chore.run();
      count(kind, done);
      return done;
    },
  };
}
