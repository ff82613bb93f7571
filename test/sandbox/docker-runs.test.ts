import { describe, expect, it } from 'vitest';
import type { SandboxFile, SandboxRequest } from '../../src/contracts/sandbox.ts';
import { useSandbox } from '../support/sandboxes.ts';
import { requestOf, runAndDiscard } from './docker-fixtures.ts';

const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

const file = (name: string, content: string): SandboxFile => ({
  name,
  content: Buffer.from(content),
});
const textOf = ({ content }: SandboxFile) => Buffer.from(content).toString();

describe('code in a Docker sandbox', () => {
  const host = useSandbox('docker');
  const run = (request: SandboxRequest) => runAndDiscard(host.sandbox, request);

  it.each([
    ['python', 'import sys; print(6 * 7); print("err", file=sys.stderr); sys.exit(3)'],
    ['javascript', 'console.log(6 * 7); console.error("err"); process.exit(3)'],
    ['bash', 'echo $((6 * 7)); echo err >&2; exit 3'],
  ] as const)('runs as %s, and tells what it wrote and how it ended', async (language, code) => {
    const expected = { stdout: '42\n', stderr: 'err\n', exitCode: 3, limit: null };
    expect(await run(requestOf(language, code))).toMatchObject(expected);
  });

  it('may import and require, in one and the same JavaScript', async () => {
    const code = `import { join } from 'node:path'; const { EOL } = require('node:os');
      console.log(join('a', 'b') + (await Promise.resolve('!')) + EOL);`;
    expect(await run(requestOf('javascript', code))).toMatchObject({ stdout: 'a/b!\n\n' });
  });

  it('reads the files it is given, also as modules', async () => {
    const files = [file('helper.py', 'ANSWER = 42'), file('übung 1.csv', 'a,b\n1,2\n')];
    const code = 'import helper; print(helper.ANSWER, open("übung 1.csv").read())';
    const result = await run(requestOf('python', code, { files }));
    expect(result).toMatchObject({ stdout: '42 a,b\n1,2\n\n', artifacts: [], refused: [] });
  });

  it('hands out what it made and what it changed, not what it was given', async () => {
    const files = [file('same', 'same'), file('rewritten', 'same'), file('changed', 'before')];
    const code =
      'echo -n same >rewritten; echo -n after >changed; echo -n new >made; rm same; echo -n same >same';
    const { artifacts, refused } = await run(requestOf('bash', code, { files }));
    expect(artifacts.map((made) => [made.name, textOf(made)])).toEqual([
      ['changed', 'after'],
      ['made', 'new'],
    ]);
    expect(refused).toEqual([]);
  });

  it('draws with matplotlib, and computes with numpy and pandas', async () => {
    const code = `
import numpy, pandas, matplotlib.pyplot as plot
frame = pandas.DataFrame({'x': numpy.arange(5)})
frame.to_excel('table.xlsx')
plot.plot(frame['x'] ** 2)
plot.savefig('plot.png')
print(frame['x'].sum())`;
    const { artifacts, stdout, stderr } = await run(requestOf('python', code));
    expect({ stdout, stderr }).toEqual({ stdout: '10\n', stderr: '' });
    const [plot, table] = artifacts;
    expect([plot?.name, table?.name]).toEqual(['plot.png', 'table.xlsx']);
    expect(Buffer.from(plot?.content ?? []).subarray(0, 8)).toEqual(PNG_SIGNATURE);
  });

  it('writes bytes of any kind, which come out as valid text', async () => {
    const code =
      'import os; os.write(1, bytes(range(256)) * 100); os.write(2, "ä€😀".encode()[:-1])';
    const { stdout, stderr, truncated } = await run(requestOf('python', code));
    expect(Buffer.from(stdout).toString()).toBe(stdout);
    expect(stdout).toContain('\u0000');
    expect(stdout).toContain('\uFFFD');
    expect(stderr).toBe('ä€\uFFFD');
    expect(truncated).toBe(false);
  });

  it('loses no byte of a large file on its way in and out', async () => {
    const content = Buffer.alloc(10_000_000, 'turnkeeper');
    const files = [{ name: 'in', content }];
    const { artifacts } = await run(requestOf('bash', 'rev <in >out', { files }));
    expect(artifacts.map(({ name }) => name)).toEqual(['out']);
    expect(
      Buffer.from(artifacts[0]?.content ?? [])
        .subarray(0, 10)
        .toString(),
    ).toBe('repeeknrut');
  });

  it('that ends is followed by everything that it left running', async () => {
    const code = '(trap "" TERM HUP; while :; do sleep 1; done) & setsid sleep 1000 & echo started';
    const request = requestOf('bash', code);
    const { stdout, limit, durationMs } = await run(request);
    expect({ stdout, limit }).toEqual({ stdout: 'started\n', limit: null });
    expect(durationMs).toBeLessThan(request.timeoutMs);
  });

  it.each([
    ['time', 'trap "" TERM INT; while :; do :; done', { timeoutMs: 500 }],
    ['output', 'yes', {}],
    ['memory', 'exec python3 -c "held = [bytearray(b\'x\' * 2**20) for _ in range(2**14)]"', {}],
  ] as const)('ends at the limit of %s', async (limit, code, more) => {
    const result = await run(requestOf('bash', code, more));
    expect(result).toMatchObject({ limit, exitCode: null });
  });
});
