import { afterAll, describe, expect, it } from 'vitest';
import type { SandboxRequest, SandboxResult } from '../../src/contracts/sandbox.ts';
import { dockerSandbox } from '../../src/sandbox/docker.ts';
import { DEFAULT_LIMITS } from '../../src/sandbox/limits.ts';
import {
  containersOf,
  dockerSettings,
  imageWithSupervisor,
  requestOf,
  runAndDiscard,
  UNSTOPPED,
  useDocker,
} from './docker-fixtures.ts';

const file = (name: string) => ({ name, content: Buffer.from('x') });

describe('a Docker sandbox that is asked for what it does not do', () => {
  const host = useDocker();

  it.each<[string, string, Partial<SandboxRequest>]>([
    ['code of 10 MB', 'input_too_large', { code: '#'.repeat(10_000_000) }],
    ['a file name with a path', 'invalid_request', { files: [file('../escape')] }],
    ['a file name of two lines', 'invalid_request', { files: [file('two\nlines')] }],
    ['a file named ..', 'invalid_request', { files: [file('..')] }],
    ['one name twice', 'invalid_request', { files: [file('a'), file('a')] }],
    [
      'too many files',
      'input_too_large',
      { files: Array.from({ length: 101 }, (_, n) => file(`${n}`)) },
    ],
    ['no time', 'invalid_request', { timeoutMs: 0 }],
  ])('refuses %s, and creates nothing', async (_name, code, mistake) => {
    const request = requestOf('python', 'print(1)', mistake);
    await expect(host.sandbox.run(request, UNSTOPPED)).rejects.toMatchObject({ code });
    expect(await containersOf(host.docker, request.key)).toEqual([]);
  });

  it('hands out as many of 10,000 files as it may, and tells of the others', async () => {
    const code = 'for n in range(10_000): open(f"{n:05}", "w").close()';
    const request = requestOf('python', code);
    const { artifacts, refused } = await runAndDiscard(host.sandbox, request);
    expect(artifacts).toHaveLength(DEFAULT_LIMITS.artifacts);
    expect(artifacts[0]?.name).toBe('00000');
    expect(refused.at(0)).toEqual({ name: '00032', reason: 'comes after the first 32' });
    expect(refused.at(-1)).toEqual({ name: '…', reason: 'and 9918 more' });
    expect(refused).toHaveLength(51);
  });

  it('lets nothing out but plain files with plain names, and says why', async () => {
    const code = `
ln -s /etc/passwd link; ln -s / root; mkfifo pipe; mkdir folder; echo x >folder/inside
echo x >$'two\\nlines'; echo x >$'not\\xff utf-8'; echo x >'..\\up'; echo x >$'\\u202etxt.exe'
echo x >secret; chmod 000 secret; truncate -s 100M sparse; echo fine >fine; touch empty`;
    const { artifacts, refused } = await runAndDiscard(host.sandbox, requestOf('bash', code));
    expect(artifacts.map(({ name }) => name)).toEqual(['empty', 'fine']);
    const name = 'has a path separator, control character or invalid text in it';
    const reasons = Object.fromEntries(refused.map((entry) => [entry.name, entry.reason]));
    expect(reasons).toEqual({
      '..\\up': name,
      '\\u{202e}txt.exe': name,
      'not\uFFFD utf-8': name,
      'two\\u{a}lines': name,
      folder: 'is a folder',
      link: 'is a link',
      pipe: 'is no plain file',
      root: 'is a link',
      secret: 'cannot be read',
      sparse: 'is more than fits into the 16777216 bytes that may come out',
    });
  });
});

const FORGED = `
import base64, hashlib, json, sys
def text(content): return base64.b64encode(content).decode()
lines = [{"exitCode": 0, "limit": None, "durationMs": 1, "stdout": text(b"x" * 1_000_000), "stderr": ""}]
for name in (b"../../etc/cron.d/job", b"..", b"two\\nlines", b"a" * 300, b"\\xff", b"/abs"):
    lines.append({"name": text(name), "kind": "file", "bytes": 1, "content": text(b"x")})
lines.append({"name": text(b"short"), "kind": "file", "bytes": 10**12, "content": text(b"x")})
lines.append({"name": text(b"long"), "kind": "file", "bytes": 1, "content": text(b"x" * 10**6)})
lines.append({"name": text(b"none"), "kind": "file", "bytes": 1})
lines.append({"name": 7, "kind": "file", "bytes": -1, "content": []})
lines += [None, 5, [], "x", {"kind": "more", "count": -1}]
body = "".join(json.dumps(line) + "\\n" for line in lines)
print(body + json.dumps({"sha256": hashlib.sha256(body.encode()).hexdigest()}))`;

const LIES: [string, string][] = [
  ['says nothing', 'pass'],
  ['says something else', 'print("{}"); print("\\0" * 1000)'],
  ['fails', 'raise SystemExit(1)'],
  [
    'writes more than any result has',
    'import sys\nfor n in range(4000): sys.stdout.write("x" * 65536)',
  ],
];

describe('a container that lies', { timeout: 120_000 }, () => {
  const host = useDocker();
  const images: string[] = [];
  afterAll(async () => {
    for (const image of images) await host.docker.getImage(image).remove();
  });

  async function runWith(supervisor: string): Promise<SandboxResult> {
    const image = await imageWithSupervisor(host.docker, supervisor);
    images.push(image);
    const settings = { ...dockerSettings(), image, runtime: null, limits: DEFAULT_LIMITS };
    return runAndDiscard(await dockerSandbox(settings), requestOf('python', 'print(1)'));
  }

  it.each(LIES)('and %s is no more than a run without a result', async (_name, supervisor) => {
    const nothing = { exitCode: null, stdout: '', artifacts: [], limit: null, truncated: false };
    const stderr = 'The sandbox ended without a result.\n';
    expect(await runWith(supervisor)).toMatchObject({ ...nothing, stderr });
  });

  it('and forges a result gets no file out that a run could not', async () => {
    const { stdout, truncated, artifacts, refused } = await runWith(FORGED);
    expect(stdout).toHaveLength(DEFAULT_LIMITS.outputBytes);
    expect(truncated).toBe(true);
    expect(artifacts).toEqual([]);
    expect(refused).toHaveLength(9);
  });
});
