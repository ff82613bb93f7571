import type { Payload, PayloadCodec } from '@temporalio/common';
import type { JsonPayload, RemoteCodec } from '../contracts/codec.ts';
import { isTurnkeeperError } from '../contracts/errors.ts';

/** Answers Temporal's Web UI and CLI, payload by payload: one that cannot be read hides no other. */
export function remoteCodec(codec: PayloadCodec): RemoteCodec {
  return {
    decode: (payloads) => Promise.all(payloads.map((payload) => decodeOne(codec, payload))),
  };
}

async function decodeOne(codec: PayloadCodec, payload: JsonPayload): Promise<JsonPayload> {
  try {
    const [decoded] = await codec.decode([fromJson(payload)]);
    return decoded ? toJson(decoded) : payload;
  } catch (error) {
    if (isTurnkeeperError(error, 'key_gone')) return note('deleted: its key is gone');
    if (isTurnkeeperError(error, 'payload_unreadable')) return note('unreadable: it was changed');
    throw error;
  }
}

function note(text: string): JsonPayload {
  return { metadata: { encoding: base64('json/plain') }, data: base64(JSON.stringify(text)) };
}

function fromJson({ metadata, data }: JsonPayload): Payload {
  const entries = Object.entries(metadata).map(([name, value]) => [name, bytes(value)] as const);
  return { metadata: Object.fromEntries(entries), data: bytes(data) };
}

function toJson({ metadata, data }: Payload): JsonPayload {
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)]);
  return {
    metadata: Object.fromEntries(entries) as Record<string, string>,
    data: base64(data ?? new Uint8Array()),
  };
}

const bytes = (text: string): Uint8Array => Buffer.from(text, 'base64');
const base64 = (value: string | Uint8Array): string => Buffer.from(value).toString('base64');
