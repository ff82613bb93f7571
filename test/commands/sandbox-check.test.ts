import { describe, expect, it } from 'vitest';
import { turnkeeper as run } from '../support/command-line.ts';
import { useSandbox } from '../support/sandboxes.ts';

interface Ended {
  code: unknown;
  lines: string[];
  stderr: string;
}

async function turnkeeper(args: string[], env: Record<string, string> = {}): Promise<Ended> {
  const { stdout, ...ended } = await run(args, env);
  return { ...ended, lines: stdout.trim().split('\n') };
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
