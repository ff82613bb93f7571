import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { TurnkeeperError } from '../../contracts/errors.ts';

const run = promisify(execFile);

const VERSION = '0.9.0';
const WHEEL = `qdrant-edge-py==${VERSION}`;
const CHECK_TIMEOUT_MS = 60_000;
const INSTALL_TIMEOUT_MS = 600_000;

export interface FindPython {
  /** Kept there once installed. */
  cacheDir: string;
  /** Told before anything that takes long. */
  onProgress?: (message: string) => void;
  /** Aborting it ends the installation; nothing of it stays. */
  signal?: AbortSignal;
}

/** What a person types to have the environment that this finds. */
export function installCommand(cacheDir: string): string {
  const folder = folderIn(cacheDir);
  return `apt-get install -y python3-venv && python3 -m venv ${folder} && ${folder}/bin/python -m pip install ${WHEEL}`;
}

/**
 * A Python that has Qdrant's engine: from the cache folder, else a virtual environment made there. Throws
 * `service_failed` when none can be had; rejects with the reason of `signal`.
 */
export async function findPython(options: FindPython): Promise<string> {
  const { cacheDir, onProgress, signal } = options;
  const folder = folderIn(cacheDir);
  if (await hasEngine(folder)) return pythonIn(folder);
  onProgress?.(`Qdrant's engine not found: trying pip install ${WHEEL}`);
  try {
    await install(folder, signal);
  } catch (error) {
    signal?.throwIfAborted();
    const message = `Qdrant's engine could not be installed (${reasonOf(error)}). Try: ${installCommand(cacheDir)}.`;
    throw new TurnkeeperError('service_failed', message, {}, error);
  }
  return pythonIn(folder);
}

function folderIn(cacheDir: string): string {
  return join(cacheDir, `qdrant-edge-${VERSION}`);
}

function pythonIn(folder: string): string {
  return join(folder, 'bin', 'python');
}

async function hasEngine(folder: string): Promise<boolean> {
  try {
    await run(pythonIn(folder), ['-c', 'import qdrant_edge'], { timeout: CHECK_TIMEOUT_MS });
    return true;
  } catch {
    return false;
  }
}

/** At `folder` it is whole or not at all; when several install it at once, one of them does it. */
async function install(folder: string, signal: AbortSignal | undefined): Promise<void> {
  await mkdir(join(folder, '..'), { recursive: true });
  const temporary = await mkdtemp(`${folder}-`);
  const limits = { timeout: INSTALL_TIMEOUT_MS, signal };
  const how = ['--quiet', '--disable-pip-version-check', '--retries', '1', '--only-binary=:all:'];
  try {
    await run('python3', ['-m', 'venv', temporary], limits);
    await run(pythonIn(temporary), ['-m', 'pip', 'install', ...how, WHEEL], limits);
    if (!(await hasEngine(temporary))) throw new Error('what came does not run here');
    await putInPlace(temporary, folder);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function putInPlace(temporary: string, folder: string): Promise<void> {
  try {
    await rename(temporary, folder);
  } catch {
    // Somebody else was faster, or what is there is broken.
    if (await hasEngine(folder)) return;
    await rm(folder, { recursive: true, force: true });
    await rename(temporary, folder);
  }
}

/** The last line a failed command wrote says more than "Command failed". */
function reasonOf(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message?: string };
  return stderr?.trim().split('\n').at(-1) || message || String(error);
}
