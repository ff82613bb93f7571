import { Command } from 'commander';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { addSandboxCheck } from '../../src/commands/sandbox-check.ts';
import {
  SandboxUnavailable,
  type Sandbox,
  type SandboxResult,
} from '../../src/contracts/sandbox.ts';
import { checkSandbox, type CheckedLimit } from '../../src/sandbox/check.ts';
import { DEFAULT_LIMITS } from '../../src/sandbox/limits.ts';
import { SANDBOXES, useSandbox } from '../support/sandboxes.ts';

const LIMITS = [
  ...['time', 'output', 'memory', 'processes', 'processor', 'disk'],
  ...['network', 'files', 'environment', 'rights', 'kernel', 'artifacts'],
];

async function checked(sandbox: Sandbox): Promise<CheckedLimit[]> {
  const lines: CheckedLimit[] = [];
  for await (const line of checkSandbox(sandbox)) lines.push(line);
  return lines;
}

/** Lets every program do what it wants, as far as its result tells. */
const open: Sandbox = {
  kind: 'docker',
  description: 'an open door',
  limits: { ...DEFAULT_LIMITS, cpus: 0.01 },
  run: () => Promise.resolve(SUCCESS),
  discard: () => Promise.resolve(),
  reap: () => Promise.resolve(0),
  close: () => Promise.resolve(),
};
const SUCCESS: SandboxResult = {
  exitCode: 0,
  stdout: '999999999\n',
  stderr: '',
  truncated: false,
  limit: null,
  artifacts: [{ name: 'secret', content: Buffer.from('secret') }],
  refused: [],
  durationMs: 1,
};

/** What the command prints of that sandbox. */
async function linesOf(sandbox: Sandbox): Promise<string[]> {
  const lines: string[] = [];
  const program = new Command();
  addSandboxCheck(program, {
    open: () => Promise.resolve({ sandbox, reasons: [] }),
    check: checkSandbox,
    print: (line) => lines.push(line),
  });
  await program.parseAsync(['check'], { from: 'user' });
  return lines;
}

describe.each(SANDBOXES)('the check of the limits of %s', (kind) => {
  const host = useSandbox(kind);

  it('finds that each of them holds', { timeout: 180_000 }, async () => {
    const lines = await checked(host.sandbox);
    expect(lines.map(({ limit }) => limit)).toEqual(LIMITS);
    expect(lines.filter(({ verdict }) => verdict === 'broken')).toEqual([]);
    expect(lines.filter(({ verdict }) => verdict === 'held').length).toBeGreaterThan(10);
  });
});

describe('the check of the limits of a sandbox that has none', () => {
  it('finds each of them broken, and says what happened', async () => {
    const lines = await checked(open);
    expect(lines.filter(({ verdict }) => verdict !== 'broken')).toEqual([]);
    expect(lines.filter(({ detail }) => detail === '')).toEqual([]);
  });
});

describe('the check of a sandbox that runs nothing', () => {
  const nothing = { ...SUCCESS, stdout: '', artifacts: [] };
  const idle: Sandbox = { ...open, run: () => Promise.resolve(nothing) };

  it('finds nothing held', async () => {
    const lines = await checked(idle);
    expect(lines.filter(({ verdict }) => verdict !== 'broken')).toEqual([]);
    expect(lines.filter(({ detail }) => detail === '')).toEqual([]);
  });
});

describe('the command', () => {
  afterEach(() => (process.exitCode = undefined));

  it('ends with 1 too when the engine goes down after a limit was broken', async () => {
    const runs = vi.fn(open.run);
    const away = new SandboxUnavailable('engine_lost', 'The engine went away.');
    runs.mockResolvedValueOnce(SUCCESS).mockRejectedValueOnce(away);
    const lines = await linesOf({ ...open, run: runs });
    expect(process.exitCode).toBe(1);
    expect(lines.at(-1)).toBe('The engine went away.');
  });

  it('ends with 2 when the engine goes down before anything was broken', async () => {
    const away = new SandboxUnavailable('engine_lost', 'The engine went away.');
    await linesOf({ ...open, run: () => Promise.reject(away) });
    expect(process.exitCode).toBe(2);
  });

  it('ends with 1 when a limit is broken, and has told which', async () => {
    const lines = await linesOf(open);
    expect(process.exitCode).toBe(1);
    expect(lines[0]).toBe('an open door');
    expect(lines[3]).toMatch(/^broken {8}memory {7}tried to fill .+: .+/);
  });
});
