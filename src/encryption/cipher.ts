import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** The bytes were changed, or belong to another key or purpose. */
export class NotAuthentic extends Error {
  constructor(cause?: unknown) {
    super('The bytes are not what was encrypted with this key for this purpose.', { cause });
    this.name = 'NotAuthentic';
  }
}

export const newKey = (): Buffer => randomBytes(KEY_BYTES);

/** Random nonce of 96 bits, ciphertext, tag. `purpose` is authenticated and not kept. */
export function encrypt(key: Uint8Array, purpose: string, plain: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(purpose));
  const body = [cipher.update(plain), cipher.final()];
  return Buffer.concat([nonce, ...body, cipher.getAuthTag()]);
}

/** @throws NotAuthentic */
export function decrypt(key: Uint8Array, purpose: string, sealed: Uint8Array): Buffer {
  if (sealed.byteLength < NONCE_BYTES + TAG_BYTES) throw new NotAuthentic();
  const end = sealed.byteLength - TAG_BYTES;
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(purpose));
  decipher.setAuthTag(sealed.subarray(end));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, end)), decipher.final()]);
  } catch (error) {
    throw new NotAuthentic(error);
  }
}
