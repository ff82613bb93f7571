import type { Payload, PayloadCodec, SerializationContext } from '@temporalio/common';
import { TurnkeeperError } from '../contracts/errors.ts';
import { decrypt, encrypt, NotAuthentic } from './cipher.ts';
import type { DataKeys } from './data-keys.ts';
import { packPayload, unpackPayload } from './packing.ts';

/** Marks a payload as one of ours. */
export const ENCODING = 'binary/turnkeeper';

/** Metadata of an encrypted payload: id of its data key; namespace and workflow id, which are authenticated with it. */
const KEY = 'key';
const PLACE = 'place';

/**
 * Encrypts each payload, metadata included, with the data key of its workflow's conversation or document. Payloads of other
 * encodings are decoded to themselves: they were written before there were keys.
 */
export function encryptingCodec(keys: DataKeys): PayloadCodec {
  return {
    encode: async (payloads, context) => {
      if (payloads.length === 0) return payloads;
      const { workflowId, place } = placeOf(context);
      const { id, key } = await keys.of(workflowId);
      return payloads.map((payload) => encrypted(payload, place, id, key));
    },
    decode: (payloads, context) =>
      Promise.all(payloads.map((payload) => decoded(keys, payload, context))),
  };
}

/** Decodes alone, and wherever a payload says that it belongs: for those who are told no workflow, or another one. */
export function readingCodec(keys: DataKeys): PayloadCodec {
  return {
    encode: (payloads) => Promise.resolve(payloads),
    decode: (payloads) => Promise.all(payloads.map((payload) => decoded(keys, payload))),
  };
}

/** Of a process without keys: it says that they are missing, where the SDK would not know the encoding. */
export const keylessCodec: PayloadCodec = {
  encode: (payloads) => Promise.resolve(payloads),
  decode: (payloads) =>
    payloads.some(isEncrypted) ? Promise.reject(keysMissing()) : Promise.resolve(payloads),
};

const isEncrypted = (payload: Payload): boolean => textOf(payload, 'encoding') === ENCODING;

function keysMissing(): TurnkeeperError {
  const setting = 'TURNKEEPER_ENCRYPTION_KEYS';
  const message = `${setting} is not set, and this was encrypted with it.`;
  return new TurnkeeperError('missing_setting', message, { setting });
}

function encrypted(payload: Payload, place: string, keyId: string, key: Uint8Array): Payload {
  return {
    metadata: {
      encoding: Buffer.from(ENCODING),
      [KEY]: Buffer.from(keyId),
      [PLACE]: Buffer.from(place),
    },
    data: encrypt(key, place, packPayload(payload)),
  };
}

async function decoded(
  keys: DataKeys,
  payload: Payload,
  context?: SerializationContext,
): Promise<Payload> {
  if (!isEncrypted(payload)) return payload;
  const [keyId, place] = [textOf(payload, KEY), textOf(payload, PLACE)];
  if (context && placeOf(context).place !== place) throw unreadable('belongs to another workflow');
  const found = await keys.find(keyId);
  if (!found) throw keyGone(keyId);
  try {
    return unpackPayload(decrypt(found.key, place, payload.data ?? new Uint8Array()));
  } catch (error) {
    if (error instanceof NotAuthentic) throw unreadable('was changed, or is of another key', error);
    throw error;
  }
}

function textOf({ metadata }: Payload, name: string): string {
  return Buffer.from(metadata?.[name] ?? []).toString();
}

function placeOf(context: SerializationContext | undefined): { workflowId: string; place: string } {
  const workflowId = context?.workflowId;
  // Nothing leaves this process in the clear for want of a key.
  if (!context || workflowId === undefined) throw unreadable('belongs to no workflow');
  return { workflowId, place: JSON.stringify([context.namespace, workflowId]) };
}

function unreadable(why: string, cause?: unknown): TurnkeeperError {
  return new TurnkeeperError('payload_unreadable', `An encrypted payload ${why}.`, {}, cause);
}

function keyGone(keyId: string): TurnkeeperError {
  const message = `The key ${keyId} is gone, and what it encrypted cannot be read any more.`;
  return new TurnkeeperError('key_gone', message, { key: keyId });
}
