import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** The one writable place: all that code expects to be writable is in it or links to it, so that one limit covers all. */
const SCRATCH = '/sandbox';
const LINKS_TO_SCRATCH = { '/work': 'work', '/tmp': 'tmp', '/var/tmp': 'tmp', '/dev/shm': 'tmp' };

/** `nobody`, to whom nothing belongs. Root's sandboxes run as this one outside too, not only by the name inside. */
export const NOBODY = 65534;

/** Of the host: programs and libraries, read-only. Whatever else is in /usr stays outside, /usr/local first of all. */
const HOST_FOLDERS = [
  '/usr/bin',
  '/usr/lib',
  '/usr/lib32',
  '/usr/lib64',
  '/usr/libx32',
  '/usr/share',
];
/** On today's systems links into /usr. */
const HOST_LINKS = ['/bin', '/lib', '/lib32', '/lib64', '/libx32'];
/** Links by which a library is chosen, such as numpy's; there is nothing else in it. */
const ALTERNATIVES = '/etc/alternatives';
const LOCAL_LIBRARIES = '/usr/local/lib';
const DEVICES = ['null', 'zero', 'full', 'random', 'urandom'];

const SUPERVISOR = '/opt/turnkeeper/supervisor.py';
export const PYTHON = '/usr/bin/python3';

/** Small files that are made up for the inside, by path. */
export function madeUpFiles(supervisor: string): Record<string, string> {
  return {
    '/etc/passwd': `nobody:x:${NOBODY}:${NOBODY}:nobody:${SCRATCH}/home:/bin/sh\n`,
    '/etc/group': `nogroup:x:${NOBODY}:\n`,
    '/etc/hosts': '127.0.0.1 localhost\n::1 localhost\n',
    [SUPERVISOR]: supervisor,
  };
}

/** What of this host is shown inside, as options of bubblewrap. `node` is the program that runs JavaScript. */
export async function hostOptions(node: string): Promise<string[]> {
  const links = await Promise.all(HOST_LINKS.map(linkOrFolder));
  const local = await readdir(LOCAL_LIBRARIES).catch(() => []);
  const python = local.filter((name) => name.startsWith('python3'));
  const folders = [...HOST_FOLDERS, ALTERNATIVES, ...python.map((n) => join(LOCAL_LIBRARIES, n))];
  return [
    ...folders.flatMap((path) => ['--ro-bind-try', path, path]),
    ...links.flat(),
    ...(isShown(node) ? [] : ['--ro-bind', node, '/usr/local/bin/node']),
  ];
}

function isShown(path: string): boolean {
  return HOST_FOLDERS.some((folder) => path.startsWith(`${folder}/`));
}

async function linkOrFolder(path: string): Promise<string[]> {
  const target = await readlink(path).catch(() => null);
  return target === null ? ['--ro-bind-try', path, path] : ['--symlink', target, path];
}

export interface Inside {
  /** What `hostOptions` answered. */
  host: string[];
  diskBytes: number;
  /** Path of each made-up file → the descriptor from which bubblewrap reads it. */
  files: Record<string, number>;
  /** The descriptor from which it reads the system call filter. */
  seccomp: number;
}

/** All that comes after `bwrap`: the sandbox, and the supervisor as its process 1. */
export function insideArguments({ host, diskBytes, files, seccomp }: Inside): string[] {
  return [
    ...['--unshare-all', '--unshare-user', '--disable-userns', '--hostname', 'sandbox'],
    ...['--uid', String(NOBODY), '--gid', String(NOBODY), '--cap-drop', 'ALL'],
    ...['--die-with-parent', '--new-session', '--as-pid-1', '--clearenv'],
    ...['--seccomp', String(seccomp)],
    ...host,
    ...['--proc', '/proc', ...devices()],
    ...['--size', String(diskBytes), '--tmpfs', SCRATCH],
    ...Object.entries(LINKS_TO_SCRATCH).flatMap(([path, name]) => {
      return ['--symlink', `${SCRATCH}/${name}`, path];
    }),
    ...Object.entries(files).flatMap(([path, fd]) => ['--ro-bind-data', String(fd), path]),
    ...['--remount-ro', '/', '--chdir', SCRATCH],
    ...['--', PYTHON, '-I', '-S', '-B', SUPERVISOR],
  ];
}

/** Not bubblewrap's own /dev, which has terminals and a writable place without a limit. */
function devices(): string[] {
  const links = { fd: '', stdin: '/0', stdout: '/1', stderr: '/2' };
  return [
    ...DEVICES.flatMap((name) => ['--dev-bind', `/dev/${name}`, `/dev/${name}`]),
    ...Object.entries(links).flatMap(([name, end]) => {
      return ['--symlink', `/proc/self/fd${end}`, `/dev/${name}`];
    }),
  ];
}
