import { execFile } from 'node:child_process';
import { access, constants, readFile, realpath } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { SandboxUnavailable } from '../../contracts/sandbox.ts';
import type { SandboxLimits } from '../../contracts/sandbox.ts';
import { hostOptions, madeUpFiles, PYTHON } from './command.ts';
import type { Setup } from './process.ts';
import { seccompFilter } from './seccomp.ts';

const BWRAP = ['/usr/bin/bwrap', '/usr/local/bin/bwrap'];
const NODE = '/usr/bin/node';
const OLDEST_PYTHON_3 = 11;
/** The same path from the sources and from the build. */
const SUPERVISOR = new URL('../../../docker/sandbox/supervisor.py', import.meta.url);

/** @throws SandboxUnavailable `program_missing`, with the command that installs it */
export async function findSetup({ diskBytes }: SandboxLimits): Promise<Setup> {
  const seccomp = seccompFilter();
  if (process.platform !== 'linux' || seccomp === null) {
    const message = `bubblewrap runs on Linux with x64 and arm64, not on ${process.platform} with ${process.arch}.`;
    throw new SandboxUnavailable('program_missing', message);
  }
  const bwrap = await firstProgram(BWRAP, 'bubblewrap');
  await checkPython(await firstProgram([PYTHON], 'python3'));
  const node = await realpath(NODE).catch(() => process.execPath);
  return {
    bwrap,
    host: await hostOptions(node),
    files: madeUpFiles(await readSupervisor()),
    seccomp,
    diskBytes,
  };
}

/** The supervisor is written for it. */
async function checkPython(python: string): Promise<void> {
  const script = 'import sys; print("%d.%d" % sys.version_info[:2])';
  const version = await promisify(execFile)(python, ['-I', '-S', '-c', script]).then(
    ({ stdout }) => stdout.trim(),
    () => 'that does not run',
  );
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major === 3 && minor >= OLDEST_PYTHON_3) return;
  const message = `${python} is Python ${version}; bubblewrap's sandboxes need 3.${OLDEST_PYTHON_3} or newer (Debian 12, Ubuntu 24.04).`;
  throw new SandboxUnavailable('program_missing', message);
}

async function readSupervisor(): Promise<string> {
  try {
    return await readFile(SUPERVISOR, 'utf8');
  } catch (error) {
    const message = `${fileURLToPath(SUPERVISOR)} cannot be read: copy it there from the folder docker/sandbox of this package.`;
    throw new SandboxUnavailable('program_missing', message, error);
  }
}

export async function versionOf(bwrap: string): Promise<string> {
  const { stdout } = await promisify(execFile)(bwrap, ['--version']);
  return stdout.trim();
}

async function firstProgram(paths: string[], debianPackage: string): Promise<string> {
  for (const path of paths) {
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  const message = `There is no ${paths.join(' and no ')}. Install it with: apt-get install -y ${debianPackage}`;
  throw new SandboxUnavailable('program_missing', message);
}
