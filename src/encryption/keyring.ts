import { TurnkeeperError } from '../contracts/errors.ts';
import type { WrappedKey } from '../contracts/store.ts';
import { decrypt, encrypt, NotAuthentic } from './cipher.ts';

/** A key from the configuration, of 32 bytes. */
export interface MasterKey {
  readonly id: string;
  readonly key: Uint8Array;
}

/** Wraps data keys with the first master key, and unwraps those of all. */
export interface Keyring {
  /** Id of the key that wraps. */
  readonly current: string;
  wrap(id: string, dataKey: Uint8Array): WrappedKey;
  /** @throws TurnkeeperError `invalid_setting` for a master key that is not here or has other bytes */
  unwrap(key: WrappedKey): Uint8Array;
}

export function createKeyring(masterKeys: readonly [MasterKey, ...MasterKey[]]): Keyring {
  const [first] = masterKeys;
  const byId = new Map(masterKeys.map(({ id, key }) => [id, key]));
  return {
    current: first.id,
    // The id is authenticated, so that no row's key can stand in for another's.
    wrap: (id, dataKey) => ({ id, wrapped: encrypt(first.key, id, dataKey), wrappedBy: first.id }),
    unwrap({ id, wrapped, wrappedBy }) {
      const master = byId.get(wrappedBy);
      if (!master) throw wrongMaster(wrappedBy, 'is missing');
      try {
        return decrypt(master, id, wrapped);
      } catch (error) {
        if (error instanceof NotAuthentic) throw wrongMaster(wrappedBy, 'has other bytes');
        throw error;
      }
    },
  };
}

export function wrongMaster(id: string, how: string): TurnkeeperError {
  const setting = 'TURNKEEPER_ENCRYPTION_KEYS';
  const message = `${setting}: the key ${id}, which wraps keys in the database, ${how}.`;
  return new TurnkeeperError('invalid_setting', message, { setting, key: id });
}
