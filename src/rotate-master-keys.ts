import type { Config } from './config.ts';
import { missing } from './config/readers.ts';
import { keyringOf } from './encryption/open.ts';
import { requireMasterKeys, rotateKeys } from './encryption/rotate.ts';
import { openStore } from './store/postgres.ts';

/**
 * Wraps the keys of all conversations and documents with the first master key of the settings. Answers how many.
 * @throws TurnkeeperError `missing_setting` without master keys; `invalid_setting` when one that has wrapped a key is missing
 */
export async function rotateMasterKeys(
  { databaseUrl: connectionString, encryptionKeys }: Config,
  onBatch: (rewrapped: number) => void,
): Promise<number> {
  const keyring = keyringOf(encryptionKeys);
  if (!keyring) {
    const setting = 'TURNKEEPER_ENCRYPTION_KEYS';
    throw missing(setting, `${setting} is not set.`);
  }
  const store = await openStore({ connectionString, poolSize: 1 });
  try {
    await requireMasterKeys(store.keys, keyring);
    return await rotateKeys(store.keys, keyring, onBatch);
  } finally {
    await store.close();
  }
}
