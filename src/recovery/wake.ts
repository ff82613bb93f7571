import type { Turn } from '../contracts/store.ts';
import { each } from './each.ts';
import { heal } from './heal.ts';
import type { Chore } from './chores.ts';
import { turnFields, type Recovery } from './recovery.ts';

/** How long a turn has to read what was submitted, milliseconds. */
const READ_GRACE_MS = 5_000;
const WAKE_EVERY_MS = 10_000;
const BATCH = 100;

/** Tells a turn to read what was submitted; when Temporal cannot be reached, the sweep does it later. */
export async function wakeOrLeave(
  { starter, logger, tenant }: Pick<Recovery, 'starter' | 'logger'> & { tenant: string },
  { id, state }: Turn,
): Promise<void> {
  if (state === 'sealed') return;
  await starter.wake(id).catch((error: unknown) => {
    const fields = turnFields({ tenant, turnId: id }, error);
    logger.warn('turn not told of a submission, left to the sweep', fields);
  });
}

/** Wakes turns that have not gone on with what was submitted: nobody could tell them, or they were told in vain. */
export function submissionsChore(parts: Recovery): Chore {
  const { store, starter, logger } = parts;
  return {
    name: 'wake turns with submissions',
    async run() {
      const age = { olderThanMs: READ_GRACE_MS, everyMs: WAKE_EVERY_MS };
      const { done } = await each(
        await store.sweep.unreadSubmissions(age, BATCH),
        async ({ tenant, turnId }) => {
          await starter.wake(turnId);
          // Its workflow may be gone: then nobody ever reads it.
          await heal(parts, tenant, await store.turns.get(tenant, turnId));
        },
        (turn, error) => logger.warn('turn not told of a submission', turnFields(turn, error)),
      );
      return done;
    },
  };
}
