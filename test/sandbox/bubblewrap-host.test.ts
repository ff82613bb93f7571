import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { useSandbox } from '../support/sandboxes.ts';

const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
const MAIN = fileURLToPath(new URL('./bubblewrap-main.ts', import.meta.url));

/** What a process tells for which this host has been changed by a few lines of shell, as root. */
async function tellAfter(change: string, code: string[] = []): Promise<unknown[]> {
  const command = `${change}\nexec "$@"`;
  const node = [process.execPath, '--import', TSX, MAIN, ...code];
  const { stdout } = await promisify(execFile)(
    'unshare',
    ['--mount', '--propagation', 'private', 'sh', '-ec', command, 'sh', ...node],
    { timeout: 50_000 },
  );
  return stdout
    .trim()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
}

/** Stands in for bubblewrap, which is told that it may not. */
function bwrapThatSays(complaint: string): string {
  return `
    mount -t tmpfs none /mnt
    printf '#!/bin/sh\\necho "bwrap: ${complaint}" >&2; exit 1\\n' >/mnt/bwrap
    chmod +x /mnt/bwrap
    mount --bind /mnt/bwrap /usr/bin/bwrap`;
}

const IMAGE_FOLDER = fileURLToPath(new URL('../../docker/sandbox', import.meta.url));
const PYTHON_3_10 = `
    mount -t tmpfs none /mnt
    printf '#!/bin/sh\necho 3.10\n' >/mnt/python
    chmod +x /mnt/python
    mount --bind /mnt/python "$(readlink -f /usr/bin/python3)"`;

describe.skipIf(process.getuid?.() !== 0)(
  'on a host that is not as it should be, bubblewrap',
  () => {
    useSandbox('bubblewrap');

    it('opens when nothing is wrong', async () => {
      const description = expect.stringMatching(/^bubblewrap /) as string;
      expect(await tellAfter('true')).toEqual([{ description }]);
    });

    it('keeps from the code what only root may read, though the worker is root', async () => {
      const change = `
      mount -t tmpfs none /usr/share
      echo shown >/usr/share/open
      install -m 600 /dev/stdin /usr/share/own <<END
kept
END`;
      const code = 'id -u; cat /usr/share/open /usr/share/own';
      const [, told] = await tellAfter(change, [code]);
      const stderr = expect.stringContaining('/usr/share/own: Permission denied') as string;
      expect(told).toEqual({ stdout: '65534\nshown\n', stderr });
    });

    it.each([
      ['bubblewrap', 'mount --bind /dev/null /usr/bin/bwrap', /apt-get install -y bubblewrap/],
      ['Python', 'mount --bind /dev/null "$(readlink -f /usr/bin/python3)"', /install -y python3/],
      ['a newer Python', PYTHON_3_10, /is Python 3\.10; .* need 3\.11 or newer/],
      ['its supervisor', `mount -t tmpfs none ${IMAGE_FOLDER}`, /supervisor\.py cannot be read/],
      [
        'user namespaces',
        bwrapThatSays('No permissions to create new namespace'),
        /No permissions to create new namespace.*user\.max_user_namespaces/,
      ],
      [
        'control groups',
        'umount --recursive --lazy /sys/fs/cgroup',
        /No cgroup file system.*Delegate=yes/,
      ],
      [
        'control groups that may be changed',
        'grep -o "/sys/fs/cgroup[^ ]*" /proc/self/mountinfo | while read -r at; do mount -o remount,bind,ro "$at"; done',
        /read-only file system.*Delegate=yes/,
      ],
    ])('is refused for want of %s, and says what to do', async (_what, change, message) => {
      const refusal = { reason: 'program_missing', retryable: false };
      const told = { ...refusal, message: expect.stringMatching(message) as string };
      expect(await tellAfter(change)).toEqual([told]);
    });
  },
);
