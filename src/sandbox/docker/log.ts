import type { Container } from 'dockerode';

/** A frame of the engine's: these bytes, of which the last four are the length of what follows. */
const HEADER_BYTES = 8;

/** What the container wrote to its standard output, up to about `limit` bytes; the rest is left where it is. */
export async function readOutput(container: Container, limit: number): Promise<Buffer> {
  const stream = await container.logs({ stdout: true, stderr: false, follow: true });
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes > 2 * limit) break;
  }
  return withoutHeaders(Buffer.concat(chunks));
}

function withoutHeaders(framed: Buffer): Buffer {
  const payloads: Buffer[] = [];
  for (let start = HEADER_BYTES; start <= framed.byteLength;) {
    const end = start + framed.readUInt32BE(start - 4);
    payloads.push(framed.subarray(start, end));
    start = end + HEADER_BYTES;
  }
  return Buffer.concat(payloads);
}
