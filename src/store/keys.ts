import { v5, v7 } from 'uuid';
import { TurnkeeperError } from '../contracts/errors.ts';
import type { RequestKey } from '../contracts/store.ts';
import type { Queryable } from './database.ts';

const NAMESPACE = '6d1ee4a1-8b3f-4d6a-9a55-8f1c3f2f6f0e';

/** With a key the id follows from tenant, scope and key, so that a repeated request meets the same row. */
export function resourceId(tenant: string, scope: string, key: RequestKey | undefined): string {
  return key ? derivedId(tenant, scope, key.key) : v7();
}

export function derivedId(tenant: string, scope: string, key: string): string {
  return v5(JSON.stringify([tenant, scope, key]), NAMESPACE);
}

/**
 * Claims the key in this transaction. Answers false when it was used before by the same request; waits for a
 * transaction that is just claiming it. Another request under the same key is refused.
 */
export async function claimKey(
  tx: Queryable,
  {
    tenant,
    scope,
    key,
    id,
  }: { tenant: string; scope: string; key: RequestKey | undefined; id: string },
): Promise<boolean> {
  if (!key) return true;
  const claimed = await tx.query(
    `INSERT INTO turnkeeper.idempotency_keys (tenant, scope, key, request_hash, resource_id)
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING 1`,
    [tenant, scope, key.key, key.requestHash, id],
  );
  if (claimed.length > 0) return true;
  const [used] = await tx.query<{ request_hash: string }>(
    'SELECT request_hash FROM turnkeeper.idempotency_keys WHERE tenant = $1 AND scope = $2 AND key = $3',
    [tenant, scope, key.key],
  );
  if (used?.request_hash === key.requestHash) return false;
  throw new TurnkeeperError(
    'idempotency_conflict',
    `Idempotency key ${JSON.stringify(key.key)} was used with another request.`,
  );
}
