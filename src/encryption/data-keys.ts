import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { StoreUnavailable, type KeyStore, type WrappedKey } from '../contracts/store.ts';
import { newKey } from './cipher.ts';
import type { Keyring } from './keyring.ts';
import { ownerOf } from './owner.ts';
import { createRecent } from './recent.ts';

/** Keys that one process keeps unwrapped, and for how long: a key that was deleted is forgotten by then. */
const KEPT = 1_000;
const KEPT_MS = 60_000;
const PAUSE_MS = 250;

export interface DataKey {
  id: string;
  key: Uint8Array;
}

export interface DataKeys {
  /**
   * The key that encrypts a workflow's history. That of a workflow of nothing that is here, or not any more, is nobody's:
   * it is made for this one use and forgotten.
   */
  of(workflowId: string): Promise<DataKey>;
  /** Null once it is deleted. */
  find(id: string): Promise<DataKey | null>;
}

export interface DataKeysOptions {
  store: KeyStore;
  keyring: Keyring;
  /** How long to wait for a database that is away: the SDK ends a worker that cannot encode what an activity threw. */
  patienceMs: number;
}

export function createDataKeys({ store, keyring, patienceMs }: DataKeysOptions): DataKeys {
  const byWorkflow = createRecent<DataKey>(KEPT, KEPT_MS);
  const byId = createRecent<DataKey>(KEPT, KEPT_MS);
  const unwrapped = (key: WrappedKey): DataKey => {
    const found = { id: key.id, key: keyring.unwrap(key) };
    byId.set(key.id, found);
    return found;
  };
  return {
    async of(workflowId) {
      const known = byWorkflow.get(workflowId);
      if (known) return known;
      const fresh = { id: randomUUID(), key: newKey() };
      const owner = ownerOf(workflowId);
      const kept =
        owner &&
        (await patiently(patienceMs, () => store.ensure(owner, keyring.wrap(fresh.id, fresh.key))));
      if (!kept) return fresh;
      const key = unwrapped(kept);
      byWorkflow.set(workflowId, key);
      return key;
    },
    async find(id) {
      const known = byId.get(id);
      if (known) return known;
      const kept = await patiently(patienceMs, () => store.find(id));
      return kept && unwrapped(kept);
    },
  };
}

/** Asks again while the database is away, for so long. */
async function patiently<T>(patienceMs: number, ask: () => Promise<T>): Promise<T> {
  const end = Date.now() + patienceMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || Date.now() >= end) throw error;
      await delay(PAUSE_MS);
    }
  }
}
