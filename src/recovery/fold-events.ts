import type { Store } from '../contracts/store.ts';
import type { Chore } from './chores.ts';

const TURNS_PER_TRANSACTION = 20;
/** Then others have their turn; what is left is for the next time. */
const MAX_TRANSACTIONS = 50;

/** Folds the deltas of turns that ended `retentionMs` ago. Workers that do it at once share the work. */
export function foldingChore({ sweep }: Store, retentionMs: number): Chore {
  return {
    name: 'fold events',
    async run() {
      let turns = 0;
      for (let n = 0; n < MAX_TRANSACTIONS; n++) {
        const folded = await sweep.foldEvents(retentionMs, TURNS_PER_TRANSACTION);
        turns += folded;
        if (folded < TURNS_PER_TRANSACTION) break;
      }
      return turns;
    },
  };
}
