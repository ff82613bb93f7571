import type { DataConverter, PayloadCodec } from '@temporalio/common';
import { fileURLToPath } from 'node:url';
import type { RemoteCodec } from '../contracts/codec.ts';
import type { KeyStore } from '../contracts/store.ts';
import { encryptingCodec, keylessCodec, readingCodec } from './codec.ts';
import { createDataKeys } from './data-keys.ts';
import { createKeyring, type Keyring, type MasterKey } from './keyring.ts';
import { remoteCodec } from './remote.ts';
import { requireMasterKeys } from './rotate.ts';

export interface Encryption {
  /** For clients. */
  codec: PayloadCodec;
  /** For workers. */
  dataConverter: DataConverter;
  /** Decodes whatever it is shown. */
  reading: PayloadCodec;
  /** Null where nothing is encrypted. */
  remote: RemoteCodec | null;
}

/** Without master keys nothing is encrypted, and what others encrypted is refused. */
const WITHOUT_KEYS: Encryption = {
  codec: keylessCodec,
  dataConverter: { payloadCodecs: [keylessCodec] },
  reading: keylessCodec,
  remote: null,
};

/** @throws TurnkeeperError `invalid_setting` when the database holds keys that none of these wrapped */
export async function openEncryption(
  masterKeys: readonly MasterKey[],
  store: KeyStore,
  patienceMs: number,
): Promise<Encryption> {
  const keyring = keyringOf(masterKeys);
  await requireMasterKeys(store, keyring);
  if (keyring === null) return WITHOUT_KEYS;
  const keys = createDataKeys({ store, keyring, patienceMs });
  const codec = encryptingCodec(keys);
  const reading = readingCodec(keys);
  return {
    codec,
    dataConverter: { payloadCodecs: [codec], failureConverterPath: failureConverterPath() },
    reading,
    remote: remoteCodec(reading),
  };
}

/** Null without master keys. */
export function keyringOf([first, ...others]: readonly MasterKey[]): Keyring | null {
  return first === undefined ? null : createKeyring([first, ...others]);
}

function failureConverterPath(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`./failure-converter.${extension}`, import.meta.url));
}
