import type { Payload, PayloadCodec } from '@temporalio/common';

/** The same history, or whatever part of one, with its payloads decoded. */
export async function decodeHistory<T>(codec: PayloadCodec, part: T): Promise<T> {
  if (Array.isArray(part)) {
    return (await Promise.all(part.map((one: unknown) => decodeHistory(codec, one)))) as T;
  }
  if (!isMessage(part)) return part;
  if (isPayload(part)) return ((await codec.decode([part]))[0] ?? part) as T;
  const fields = Object.entries(part).map(
    async ([name, value]: [string, unknown]) => [name, await decodeHistory(codec, value)] as const,
  );
  return Object.fromEntries(await Promise.all(fields)) as T;
}

/** Bytes and numbers of 64 bits are objects, too, and left as they are. */
function isMessage(part: unknown): part is object {
  if (typeof part !== 'object' || part === null || ArrayBuffer.isView(part)) return false;
  return !('low' in part && 'high' in part);
}

function isPayload(part: object): part is Payload {
  return 'metadata' in part && 'data' in part && part.data instanceof Uint8Array;
}
