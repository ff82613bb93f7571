import { describe, expect, it } from 'vitest';
import { frameReader } from '../../src/sandbox/docker/log.ts';

function frame(payload: string): Buffer {
  const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(Buffer.byteLength(payload), 4);
  return Buffer.concat([header, Buffer.from(payload)]);
}

describe('the frames of an engine’s log', () => {
  const framed = Buffer.concat(['first', '', 'second line\n', 'x'.repeat(300)].map(frame));
  const text = `firstsecond line\n${'x'.repeat(300)}`;

  it.each([1, 3, 8, 64, 1_000])('are taken apart in pieces of %i bytes', (size) => {
    const read = frameReader();
    const payloads: Buffer[] = [];
    for (let start = 0; start < framed.byteLength; start += size)
      payloads.push(...read(framed.subarray(start, start + size)));
    expect(String(Buffer.concat(payloads))).toBe(text);
  });

  it('give what there is when they end in the middle', () => {
    const read = frameReader();
    expect(String(Buffer.concat([...read(framed.subarray(0, 11))]))).toBe('fir');
  });
});
