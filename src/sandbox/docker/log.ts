import type { Container } from 'dockerode';

/** A frame of the engine's: these bytes, of which the last four are the length of what follows. */
const HEADER_BYTES = 8;
const LENGTH_AT = 4;

/** What the container wrote to its standard output, up to about `limit` bytes; the rest is left where it is. */
export async function readOutput(container: Container, limit: number): Promise<Buffer> {
  const stream = await container.logs({ stdout: true, stderr: false, follow: true });
  const withoutHeaders = frameReader();
  const payloads: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    payloads.push(...withoutHeaders(chunk));
    bytes += chunk.byteLength;
    if (bytes > 2 * limit) break;
  }
  return Buffer.concat(payloads);
}

/** Takes frames apart as they come, in pieces of any size, and copies nothing of what is in them. */
export function frameReader(): (piece: Buffer) => Generator<Buffer> {
  let header = Buffer.alloc(0);
  let left = 0;
  return function* (piece) {
    let rest = piece;
    while (rest.byteLength > 0) {
      if (left > 0) {
        const payload = rest.subarray(0, left);
        left -= payload.byteLength;
        rest = rest.subarray(payload.byteLength);
        yield payload;
        continue;
      }
      const lacking = HEADER_BYTES - header.byteLength;
      header = Buffer.concat([header, rest.subarray(0, lacking)]);
      rest = rest.subarray(lacking);
      if (header.byteLength < HEADER_BYTES) return;
      left = header.readUInt32BE(LENGTH_AT);
      header = Buffer.alloc(0);
    }
  };
}
