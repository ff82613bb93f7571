import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { lock } from 'proper-lockfile';
import { TurnkeeperError } from '../../contracts/errors.ts';

interface Holder {
  pid: number;
  /** Start time of the process as the system gives it, so that a reused pid is not mistaken for the holder. */
  started: string | null;
  host: string;
}

/**
 * Takes the data directory for this process and answers how to give it back. PGlite takes no lock of its own: a second
 * opener would lose rows. Throws `data_dir_in_use` while the holder lives; what a dead one left is taken over. No
 * heartbeat is used, because a long query blocks the holder's event loop.
 */
export async function lockDataDir(dir: string): Promise<() => Promise<void>> {
  const path = join(dir, 'turnkeeper.lock');
  const unlock = await lock(dir, {
    lockfilePath: `${path}.changing`,
    stale: 2_000,
    retries: { retries: 40, minTimeout: 50, maxTimeout: 100 },
  });
  try {
    const holder = await readHolder(path);
    if (holder && mayBeAlive(holder)) throw inUse(dir, path, holder);
    await writeFile(path, JSON.stringify(identify(process.pid)));
  } finally {
    await unlock();
  }
  return () => rm(path, { force: true });
}

/** Null when nobody holds it, and when the holder died before it could finish writing. */
async function readHolder(path: string): Promise<Holder | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Holder;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT')
      return null;
    throw error;
  }
}

function identify(pid: number): Holder {
  return { pid, started: startTime(pid), host: hostname() };
}

/** Another host's processes cannot be seen from here, so its holder counts as alive. */
function mayBeAlive(holder: Holder): boolean {
  if (holder.host !== hostname()) return true;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return startTime(holder.pid) === holder.started;
}

/** Null where the system doesn't tell; `ended` for a process that nobody has waited for yet. */
function startTime(pid: number): string | null {
  try {
    if (process.platform !== 'linux') {
      return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    }
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? 'ended' : (fields[18] ?? null);
  } catch {
    return null;
  }
}

function inUse(dir: string, path: string, holder: Holder): TurnkeeperError {
  const where =
    holder.host === hostname() ? '' : ` on ${holder.host} (if that is gone, delete ${path})`;
  return new TurnkeeperError(
    'data_dir_in_use',
    `The data directory ${dir} is used by process ${holder.pid}${where}.`,
    { dataDir: dir, pid: holder.pid, host: holder.host },
  );
}
