import { randomBytes, randomUUID } from 'node:crypto';
import type { PayloadCodec, SerializationContext } from '@temporalio/common';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import type { KeyOwner, KeyStore, WrappedKey } from '../../src/contracts/store.ts';
import { encryptingCodec } from '../../src/encryption/codec.ts';
import { createDataKeys, type DataKeys } from '../../src/encryption/data-keys.ts';
import { createKeyring, type MasterKey } from '../../src/encryption/keyring.ts';

export const masterKey = (id: string): MasterKey => ({ id, key: randomBytes(32) });

/** As `TURNKEEPER_ENCRYPTION_KEYS` has them. */
export function keySetting(...keys: MasterKey[]): string {
  return keys.map(({ id, key }) => `${id}:${Buffer.from(key).toString('base64')}`).join(',');
}

export const contextOf = (workflowId: string, namespace = 'default'): SerializationContext => ({
  type: 'workflow',
  namespace,
  workflowId,
});

export const payloadOf = (value: unknown): Payload => defaultPayloadConverter.toPayload(value);

export const valueOf = (payload: Payload | undefined): unknown =>
  payload && defaultPayloadConverter.fromPayload(payload);

export interface KeysInMemory extends KeyStore {
  rows: Map<string, WrappedKey>;
  /** How often it was asked. */
  asked(): number;
}

/** Keeps keys as the database does; `knows` says whose rows are there. */
export function keysInMemory(knows: (owner: KeyOwner) => boolean = () => true): KeysInMemory {
  const rows = new Map<string, WrappedKey>();
  const ids = new Map<string, string>();
  let asked = 0;
  return {
    rows,
    asked: () => asked,
    ensure: (owner, fresh) => {
      asked++;
      if (!knows(owner)) return Promise.resolve(null);
      const id = ids.get(owner.id) ?? fresh.id;
      ids.set(owner.id, id);
      if (!rows.has(id)) rows.set(id, fresh);
      return Promise.resolve(rows.get(id) ?? null);
    },
    find: (id) => {
      asked++;
      return Promise.resolve(rows.get(id) ?? null);
    },
    wrappers: () =>
      Promise.resolve([...new Map([...rows.values()].map((row) => [row.wrappedBy, row])).values()]),
    wrappedByOthers: (current, limit) =>
      Promise.resolve(
        [...rows.values()].filter((row) => row.wrappedBy !== current).slice(0, limit),
      ),
    rewrap: (key, from) => {
      if (rows.get(key.id)?.wrappedBy !== from) return Promise.resolve(false);
      rows.set(key.id, key);
      return Promise.resolve(true);
    },
  };
}

export const newTurnId = (): string => randomUUID();

export function keysOver(
  store: KeyStore,
  master: MasterKey = masterKey('one'),
  patienceMs = 0,
): DataKeys {
  return createDataKeys({ store, keyring: createKeyring([master]), patienceMs });
}

export function codecOver(store: KeysInMemory, master?: MasterKey): PayloadCodec {
  return encryptingCodec(keysOver(store, master));
}

export const SECRET = { name: 'Clerk of Oz' };

/** The secret, as it is in a history of this workflow. */
export async function encoded(codec: PayloadCodec, workflowId: string): Promise<Payload> {
  const [payload] = await codec.encode([payloadOf(SECRET)], contextOf(workflowId));
  return payload ?? {};
}

export const text = (bytes: Uint8Array | null | undefined): string =>
  Buffer.from(bytes ?? []).toString('latin1');
