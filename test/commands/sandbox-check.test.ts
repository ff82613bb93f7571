import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { useSandbox } from '../support/sandboxes.ts';

const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

interface Ended {
  code: number | string | null | undefined;
  lines: string[];
  stderr: string;
}

/** The command line as a user starts it, with nothing set but the sandbox. */
function turnkeeper(args: string[], env: Record<string, string> = {}): Promise<Ended> {
  const settings = { PATH: process.env['PATH'], DATABASE_URL: undefined, ...env };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--import', TSX, CLI, ...args],
      { env: settings, timeout: 170_000 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : error.code;
        resolve({ code, lines: stdout.trim().split('\n'), stderr });
      },
    );
  });
}

describe('turnkeeper sandbox check', () => {
  describe('with bubblewrap', () => {
    useSandbox('bubblewrap');

    it(
      'prints a line for each limit and ends with 0 when all held',
      { timeout: 180_000 },
      async () => {
        const { code, lines, stderr } = await turnkeeper([
          'sandbox',
          'check',
          '--backend',
          'bubblewrap',
        ]);
        expect(stderr).toBe('');
        expect(code).toBe(0);
        expect(lines).toHaveLength(13);
        expect(lines[0]).toMatch(/^bubblewrap /);
        for (const line of lines.slice(1))
          expect(line).toMatch(/^(held|not available) +\w+ +tried to /);
      },
    );

    it('tells why Docker was passed over', { timeout: 180_000 }, async () => {
      const { code, lines } = await turnkeeper(['sandbox', 'check'], {
        DOCKER_HOST: 'unix:///nowhere/docker.sock',
      });
      expect(code).toBe(0);
      expect(lines[0]).toContain('No Docker engine answers at unix:///nowhere/docker.sock');
      expect(lines[1]).toMatch(/^bubblewrap /);
    });
  });

  it('ends with 2 and says what to install when the one that is asked for is missing', async () => {
    const { code, lines } = await turnkeeper(['sandbox', 'check'], {
      TURNKEEPER_SANDBOX: 'docker',
      DOCKER_HOST: 'unix:///nowhere/docker.sock',
    });
    expect(code).toBe(2);
    expect(lines.join(' ')).toContain('apt-get install -y docker.io');
    expect(lines.join(' ')).toContain('TURNKEEPER_SANDBOX=none');
  });

  it('ends with 2 when the sandbox is turned off', async () => {
    const { code, lines } = await turnkeeper(['sandbox', 'check'], { TURNKEEPER_SANDBOX: 'none' });
    expect(code).toBe(2);
    expect(lines.join(' ')).toContain('There is no sandbox to check.');
  });

  it('ends with 2 for a setting or a back end that there is not', async () => {
    const setting = await turnkeeper(['sandbox', 'check'], { TURNKEEPER_SANDBOX: 'chroot' });
    expect(setting).toMatchObject({ code: 2, stderr: '' });
    expect(setting.lines.join(' ')).toContain('TURNKEEPER_SANDBOX is "chroot"');
    const option = await turnkeeper(['sandbox', 'check', '--backend', 'chroot']);
    expect(option.code).toBe(2);
    expect(option.stderr).toContain('docker, bubblewrap');
  });

  it('explains itself', async () => {
    const { code, lines } = await turnkeeper(['sandbox', 'check', '--help']);
    expect(code).toBe(0);
    expect(lines.join('\n')).toContain('Exit code: 0 all held');
  });
});
