import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/sandbox/limits.ts';
import { decodeResult, maxResultBytes } from '../../src/sandbox/result.ts';
import { requestOf } from './docker-fixtures.ts';

const REQUEST = requestOf('python', 'print(1)');
const base64 = (text: string | Uint8Array) => Buffer.from(text).toString('base64');
const ENDING = {
  exitCode: 0,
  limit: null,
  durationMs: 5,
  stdout: base64('out'),
  stderr: base64('err'),
};
const fileOf = (name: string, content: string) => ({
  name: base64(name),
  kind: 'file',
  bytes: Buffer.byteLength(content),
  content: base64(content),
});

/** Lines with a digest that is right, whatever they say. */
function signed(...lines: unknown[]): Buffer {
  const body = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  const sha256 = createHash('sha256').update(body).digest('hex');
  return Buffer.from(`${body}${JSON.stringify({ sha256 })}\n`);
}

const decode = (written: Buffer) => decodeResult(written, REQUEST, DEFAULT_LIMITS);

describe('the result that a supervisor writes', () => {
  it('is read as it was written', async () => {
    expect(await decode(signed(ENDING, fileOf('a', 'x'), fileOf('b', '')))).toEqual({
      exitCode: 0,
      limit: null,
      durationMs: 5,
      stdout: 'out',
      stderr: 'err',
      truncated: false,
      artifacts: [
        { name: 'a', content: Buffer.from('x') },
        { name: 'b', content: Buffer.alloc(0) },
      ],
      refused: [],
    });
  });

  it('is none when a part of it is missing, wherever it was cut', async () => {
    const whole = signed(ENDING, fileOf('a', 'x'));
    for (let length = 0; length < whole.byteLength - 1; length++)
      expect(await decode(whole.subarray(0, length))).toBeNull();
    for (let start = 1; start < whole.byteLength; start++)
      expect(await decode(whole.subarray(start))).toBeNull();
  });

  it('is none when one byte of it is another', async () => {
    const whole = signed(ENDING, fileOf('a', 'x'));
    for (let at = 0; at < whole.byteLength - 1; at++) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(await decode(changed)).toBeNull();
    }
  });

  it.each([
    ['says nothing of how it ended', {}],
    ['has an exit code that is none', { ...ENDING, exitCode: 'zero' }],
    ['has a limit that is none', { ...ENDING, limit: 'patience' }],
    ['has output that is no text', { ...ENDING, stdout: [1] }],
    ['took less than no time', { ...ENDING, durationMs: -1 }],
  ])('is none when it %s', async (_name, ending) => {
    expect(await decode(signed(ending))).toBeNull();
  });

  it('hands out a file once', async () => {
    const result = await decode(signed(ENDING, fileOf('a', 'x'), fileOf('a', 'y')));
    expect(result?.artifacts).toHaveLength(1);
    expect(result?.refused).toEqual([{ name: 'a', reason: 'is there twice' }]);
  });

  it('is kept to the limits, whatever it has more', async () => {
    const { outputBytes, artifacts, artifactBytes } = DEFAULT_LIMITS;
    const files = Array.from({ length: 5_000 }, (_, number) => fileOf(`f${number}`, 'x'));
    const huge = { ...fileOf('a', ''), bytes: artifactBytes + 1, content: 'A'.repeat(1_000) };
    const loud = { ...ENDING, stdout: base64('ä'.repeat(outputBytes)) };
    const result = await decode(signed(loud, huge, ...files));
    expect(result).toMatchObject({ truncated: true, stdout: 'ä'.repeat(outputBytes / 2) });
    expect(result?.artifacts).toHaveLength(artifacts);
    expect(result?.refused).toHaveLength(51);
  });

  it('never does more harm than to be none', async () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(...Object.values(ENDING)),
      fc.base64String(),
    );
    const keys = ['name', 'kind', 'bytes', 'content', 'count', ...Object.keys(ENDING)];
    const line = fc.dictionary(fc.constantFrom(...keys), value, { noNullPrototype: true });
    const lines = fc.array(fc.oneof(line, fc.jsonValue(), fc.constant(ENDING)), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(lines, async (given) => {
        const result = await decode(signed(...given));
        if (result === null) return;
        for (const { name } of result.artifacts) expect(name).not.toMatch(/[/\\\p{Cc}]|^\.{0,2}$/u);
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (bytes) => {
        expect(await decode(Buffer.from(bytes))).toBeNull();
      }),
    );
  });

  it('fits into what is read of a log', () => {
    const { outputBytes, artifactBytes, artifacts } = DEFAULT_LIMITS;
    const output = base64(Buffer.alloc(outputBytes + 1));
    const each = Math.floor(artifactBytes / artifacts);
    const files = Array.from({ length: artifacts }, (_, number) => {
      return fileOf(String(number).padStart(255, '0'), 'x'.repeat(each));
    });
    const others = Array.from({ length: 1_000 - artifacts }, () => {
      return { name: base64('n'.repeat(255)), kind: 'folder', bytes: Number.MAX_SAFE_INTEGER };
    });
    const longest = signed({ ...ENDING, stdout: output, stderr: output }, ...files, ...others);
    expect(longest.byteLength).toBeLessThan(maxResultBytes(DEFAULT_LIMITS));
  });
});
