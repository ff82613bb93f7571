import type { Payload } from '@temporalio/common';
import { NotAuthentic } from './cipher.ts';

const LENGTH_BYTES = 4;

/** A payload as bytes: the length of its metadata, the metadata as JSON with values in base64, its data. */
export function packPayload({ metadata, data }: Payload): Uint8Array {
  const entries = Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)]);
  const head = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32BE(head.byteLength);
  // Where there is none, the SDK's workflows have an array.
  return Buffer.concat([length, head, Buffer.from(data ?? [])]);
}

/** @throws NotAuthentic for bytes that are no payload, which only a holder of the key can have made */
export function unpackPayload(bytes: Buffer): Payload {
  if (bytes.byteLength < LENGTH_BYTES) throw new NotAuthentic();
  const end = LENGTH_BYTES + bytes.readUInt32BE();
  const head = JSON.parse(bytes.toString('utf8', LENGTH_BYTES, end)) as Record<string, string>;
  const entries = Object.entries(head).map(([name, value]) => [name, bytesOf(value)] as const);
  return { metadata: Object.fromEntries(entries), data: bytes.subarray(end) };
}

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'base64');
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
