import type { UnreadTurn } from '../contracts/store.ts';
import { LEASE_MS, LEAVE_MS } from '../contracts/store.ts';
import type { Queryable } from './database.ts';

export async function attend(db: Queryable, tenant: string, turnId: string): Promise<void> {
  await db.query(
    `UPDATE turnkeeper.turns SET read_until = greatest(read_until, now() + $3 * interval '1 millisecond')
     WHERE tenant = $1 AND id = $2 AND cancel_after_ms IS NOT NULL AND state <> 'sealed'`,
    [tenant, turnId, LEASE_MS],
  );
}

/** Cuts the lease to what another reader needs to renew it: who leaves does not know of the others. */
export async function leave(db: Queryable, tenant: string, turnId: string): Promise<void> {
  await db.query(
    `UPDATE turnkeeper.turns SET read_until = least(read_until, now() + $3 * interval '1 millisecond')
     WHERE tenant = $1 AND id = $2 AND cancel_after_ms IS NOT NULL AND state <> 'sealed'`,
    [tenant, turnId, LEAVE_MS],
  );
}

/** A turn that had to wait for another one counts from its own beginning. */
export async function unreadTurns(db: Queryable, limit: number): Promise<UnreadTurn[]> {
  return db.query(
    `UPDATE turnkeeper.turns SET reader_gone_at = coalesce(reader_gone_at, now()) WHERE id = ANY (ARRAY(
       SELECT id FROM turnkeeper.turns
       WHERE cancel_after_ms IS NOT NULL AND state IN ('accepted', 'started') AND (reader_gone_at IS NOT NULL
         OR greatest(read_until, accepted_at) + cancel_after_ms * interval '1 millisecond' < now())
       ORDER BY number LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED))
     RETURNING tenant, id AS "turnId", state = 'started' AS started,
       (extract(epoch FROM now() - reader_gone_at) * 1000)::float8 AS "foundForMs"`,
    [limit],
  );
}
