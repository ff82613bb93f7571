import { invalid, readText, type Environment } from './readers.ts';

/** A key that wraps other keys: 32 bytes. */
export interface EncryptionKey {
  readonly id: string;
  readonly key: Uint8Array;
}

const KEY_BYTES = 32;
const FORM =
  'id:key,id:key with ids of their own, of letters, digits, - and _, and keys of 32 bytes in base64';

/** The first one wraps. None: nothing is encrypted. */
export function readEncryptionKeys(env: Environment): readonly EncryptionKey[] {
  const value = readText(env, 'TURNKEEPER_ENCRYPTION_KEYS');
  const keys = value === null ? [] : value.split(',').map(readKey);
  const ids = new Set(keys.map(({ id }) => id));
  return ids.size === keys.length ? keys : refuse();
}

function readKey(text: string): EncryptionKey {
  const [, id, base64] = /^\s*([\w-]{1,64}):([A-Za-z\d+/]+={0,2})\s*$/.exec(text) ?? [];
  if (id === undefined || base64 === undefined) return refuse();
  const key = Buffer.from(base64, 'base64');
  return key.byteLength === KEY_BYTES ? { id, key } : refuse();
}

function refuse(): never {
  throw invalid('TURNKEEPER_ENCRYPTION_KEYS', '***', FORM);
}
