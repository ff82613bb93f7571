import type { KeyStore } from '../contracts/store.ts';
import { wrongMaster, type Keyring } from './keyring.ts';

const BATCH = 500;

/**
 * Wraps every data key with the keyring's first master key; what they encrypted stays as it is. Answers how many. Killed in
 * between, it goes on where it was; two at once share the work.
 */
export async function rotateKeys(
  store: KeyStore,
  keyring: Keyring,
  onBatch: (rewrapped: number) => void = () => undefined,
): Promise<number> {
  let rewrapped = 0;
  for (;;) {
    const keys = await store.wrappedByOthers(keyring.current, BATCH);
    if (keys.length === 0) return rewrapped;
    for (const key of keys) {
      const fresh = keyring.wrap(key.id, keyring.unwrap(key));
      if (await store.rewrap(fresh, key.wrappedBy)) rewrapped++;
    }
    onBatch(rewrapped);
  }
}

/**
 * Without a keyring, there must be no keys: whoever forgot the setting would go on in the clear.
 * @throws TurnkeeperError `invalid_setting` when the database holds keys that this keyring cannot unwrap
 */
export async function requireMasterKeys(store: KeyStore, keyring: Keyring | null): Promise<void> {
  for (const key of await store.wrappers()) {
    if (!keyring) throw wrongMaster(key.wrappedBy, 'is missing');
    keyring.unwrap(key);
  }
}
