import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { SandboxLimits } from '../../contracts/sandbox.ts';
import { CONTROLLERS, type Hierarchy } from './hierarchy.ts';
import { isGone, ownIdentity } from './worker-identity.ts';

/** The control group of one run. */
export interface Group {
  /** Whoever writes 0 into each of these files is in the group, with all that it starts afterwards. */
  readonly entrances: string[];
  /** Whether something in it was killed for want of memory. */
  ranOutOfMemory(): Promise<boolean>;
  /** Kills what is in it, until nothing is. */
  kill(): Promise<void>;
  /** The same, and takes it away. */
  remove(): Promise<void>;
}

type GroupLimits = Pick<SandboxLimits, 'memoryBytes' | 'pids' | 'cpus'>;
type Controller = (typeof CONTROLLERS)[number];

const PREFIX = 'turnkeeper-';
const PERIOD_US = 100_000;
const POLL_MS = 5;
const KILL_TIMEOUT_MS = 10_000;

/** Lets groups of this hierarchy have the controllers they need. In v1 they have. */
export async function enableControllers({ version, memory }: Hierarchy): Promise<void> {
  if (version === 1) return;
  const file = join(memory, 'cgroup.subtree_control');
  const enabled = (await readFile(file, 'utf8')).trim().split(' ');
  const lacking = CONTROLLERS.filter((controller) => !enabled.includes(controller));
  if (lacking.length > 0) await writeFile(file, lacking.map((name) => `+${name}`).join(' '));
}

/** Rejects, and leaves nothing, where a limit cannot be set. */
export async function createGroup(hierarchy: Hierarchy, limits: GroupLimits): Promise<Group> {
  const name = `${PREFIX}${await ownIdentity()}-${randomUUID()}`;
  const folderOf = (controller: Controller) => join(hierarchy[controller], name);
  const folders = [...new Set(CONTROLLERS.map(folderOf))];
  const remove = async () => {
    await Promise.all(folders.map(removeFolder));
  };
  try {
    for (const folder of folders) await mkdir(folder);
    for (const controller of CONTROLLERS) {
      const settings = SETTINGS[hierarchy.version][controller](limits);
      await applySettings(folderOf(controller), settings);
    }
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    entrances: folders.map((folder) => join(folder, 'cgroup.procs')),
    kill: () => emptied(folderOf('pids')),
    ranOutOfMemory: () => hasOomKill(hierarchy.version, folderOf('memory')),
    remove,
  };
}

/** Takes away the groups of processes that are gone; answers how many. */
export async function removeLeftOvers(hierarchy: Hierarchy): Promise<number> {
  const removed = new Set<string>();
  for (const parent of new Set(CONTROLLERS.map((controller) => hierarchy[controller]))) {
    for (const name of await readdir(parent)) {
      if (!name.startsWith(PREFIX) || !(await isGone(name.slice(PREFIX.length)))) continue;
      // One that hangs in the kernel must not keep the others; it is met again by the next reaper.
      await removeFolder(join(parent, name)).then(
        () => removed.add(name),
        () => undefined,
      );
    }
  }
  return removed.size;
}

type Settings = Record<string, string | number>;

/** A file that ends in `?` need not be there: where swap is not accounted for, there is none to limit. */
const SETTINGS: Record<1 | 2, Record<Controller, (limits: GroupLimits) => Settings>> = {
  1: {
    memory: ({ memoryBytes }) => ({
      'memory.limit_in_bytes': memoryBytes,
      'memory.memsw.limit_in_bytes?': memoryBytes,
    }),
    pids: ({ pids }) => ({ 'pids.max': pids }),
    cpu: ({ cpus }) => ({
      'cpu.cfs_period_us': PERIOD_US,
      'cpu.cfs_quota_us': Math.round(cpus * PERIOD_US),
    }),
  },
  2: {
    memory: ({ memoryBytes }) => ({ 'memory.max': memoryBytes, 'memory.swap.max?': 0 }),
    pids: ({ pids }) => ({ 'pids.max': pids }),
    cpu: ({ cpus }) => ({ 'cpu.max': `${Math.round(cpus * PERIOD_US)} ${PERIOD_US}` }),
  },
};

async function applySettings(folder: string, settings: Settings): Promise<void> {
  for (const [file, value] of Object.entries(settings)) {
    const optional = file.endsWith('?');
    const path = join(folder, optional ? file.slice(0, -1) : file);
    // The kernel made the file, or there is none: never create it.
    await writeFile(path, String(value), { flag: 'r+' }).catch((error: unknown) => {
      if (!optional || codeOf(error) !== 'ENOENT') throw error;
    });
  }
}

async function hasOomKill(version: 1 | 2, folder: string): Promise<boolean> {
  const file = version === 1 ? 'memory.oom_control' : 'memory.events';
  const counts = await readFile(join(folder, file), 'utf8');
  return Number(/^oom_kill (\d+)$/m.exec(counts)?.[1] ?? 0) > 0;
}

async function removeFolder(folder: string): Promise<void> {
  const deadline = Date.now() + KILL_TIMEOUT_MS;
  for (;;) {
    await emptied(folder);
    try {
      await rmdir(folder);
      return;
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return;
      // Somebody came in, or is not quite gone.
      if (codeOf(error) !== 'EBUSY' || Date.now() > deadline) throw error;
    }
    await delay(POLL_MS);
  }
}

/** Kills what is in a group until nothing is. Rejects when something does not die, as what hangs in the kernel. */
async function emptied(folder: string): Promise<void> {
  const deadline = Date.now() + KILL_TIMEOUT_MS;
  for (;;) {
    const members = await membersOf(folder);
    if (members.length === 0) return;
    if (Date.now() > deadline) throw new Error(`${folder} has processes that do not die`);
    members.forEach(kill);
    await delay(POLL_MS);
  }
}

/** None when the group is gone. */
async function membersOf(folder: string): Promise<number[]> {
  try {
    const pids = (await readFile(join(folder, 'cgroup.procs'), 'utf8')).split('\n').map(Number);
    // 0 stands for a process of another pid namespace, and would mean ourselves.
    return pids.filter((pid) => pid > 0);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENODEV') return [];
    throw error;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
