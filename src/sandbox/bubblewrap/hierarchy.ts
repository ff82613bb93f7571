import { readFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

/** Where control groups are made: for each controller the folder in which ours go. With cgroup v2 it is the same one. */
export interface Hierarchy {
  version: 1 | 2;
  memory: string;
  pids: string;
  cpu: string;
}

export const CONTROLLERS = ['memory', 'pids', 'cpu'] as const;

interface Mount {
  /** What of the hierarchy is mounted: a path in it. */
  root: string;
  at: string;
  type: string;
  options: string[];
}

/** Places to try, best first. None where no control groups are mounted. */
export async function findHierarchies(): Promise<Hierarchy[]> {
  const read = (file: string) => readFile(`/proc/self/${file}`, 'utf8').catch(() => '');
  return hierarchiesOf(await read('cgroup'), await read('mountinfo'));
}

/**
 * Under the groups this process is in: what limits it limits its sandboxes too. In v2 a group with processes in it cannot
 * hand controllers down, unless it is the root; the group above it can, if it is ours to use.
 */
export function hierarchiesOf(cgroup: string, mountinfo: string): Hierarchy[] {
  const mounts = mountinfo.split('\n').flatMap(parseMount);
  const memberships = cgroup.split('\n').map((line) => line.split(':'));
  const v1 = folderOf(memberships, mounts, 'memory');
  const pids = folderOf(memberships, mounts, 'pids');
  const cpu = folderOf(memberships, mounts, 'cpu');
  if (v1 !== null && pids !== null && cpu !== null) return [{ version: 1, memory: v1, pids, cpu }];
  const mount = mounts.find(({ type }) => type === 'cgroup2');
  const own = mount && folderIn(mount, memberships.find(([id]) => id === '0')?.[2]);
  if (!mount || !own) return [];
  const folders = own === mount.at ? [own] : [own, dirname(own)];
  return folders.map((folder) => ({ version: 2, memory: folder, pids: folder, cpu: folder }));
}

/** In v1. */
function folderOf(memberships: string[][], mounts: Mount[], controller: string): string | null {
  const mount = mounts.find(
    ({ type, options }) => type === 'cgroup' && options.includes(controller),
  );
  const membership = memberships.find(([, names]) => names?.split(',').includes(controller));
  return mount ? folderIn(mount, membership?.[2]) : null;
}

/** Null when the group is outside what is mounted. */
function folderIn({ root, at }: Mount, path: string | undefined): string | null {
  // The kernel writes `/..` for what is above this process's own view of the hierarchy.
  if (path === undefined || path.startsWith('/..')) return null;
  const inside = relative(root, path);
  return inside.startsWith('..') ? null : join(at, inside);
}

/** A line: id, parent, device, root, mount point, options, optional fields, `-`, type, source, options of the hierarchy. */
function parseMount(line: string): Mount[] {
  const [left = '', right = ''] = line.split(' - ');
  const [, , , root, at] = left.split(' ');
  const [type, , options] = right.split(' ');
  if (!root || !at || !type || !options) return [];
  return [{ root, at, type, options: options.split(',') }];
}
