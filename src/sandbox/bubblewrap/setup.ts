import { execFile } from 'node:child_process';
import { access, constants, readFile, realpath } from 'node:fs/promises';
import { promisify } from 'node:util';
import { SandboxUnavailable } from '../../contracts/sandbox.ts';
import type { SandboxLimits } from '../../contracts/sandbox.ts';
import { hostOptions, madeUpFiles, PYTHON } from './command.ts';
import type { Setup } from './process.ts';
import { seccompFilter } from './seccomp.ts';

const BWRAP = ['/usr/bin/bwrap', '/usr/local/bin/bwrap'];
const NODE = '/usr/bin/node';
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
  await firstProgram([PYTHON], 'python3');
  const node = await realpath(NODE).catch(() => process.execPath);
  return {
    bwrap,
    host: await hostOptions(node),
    files: madeUpFiles(await readFile(SUPERVISOR, 'utf8')),
    seccomp,
    diskBytes,
  };
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
