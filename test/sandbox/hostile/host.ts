import { randomUUID } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo, ListenOptions } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const WATCH_MS = 20;
/** Folders in which a program would leave a file named after its mark, if it could. */
const WRITABLE_BY_ROOT = [
  '/',
  '/dev/shm',
  '/etc',
  '/home',
  '/root',
  '/run',
  '/usr/bin',
  '/var/tmp',
];

/** What lies on the host and must stay out of reach, with an eye on who comes near. */
export interface Bait {
  secret: string;
  /** Holds the secret; everybody may read it. */
  openFile: string;
  /** Holds the secret; only its owner may read it. */
  ownFile: string;
  /** Of 127.0.0.1, TCP and UDP. */
  port: number;
  unixSocket: string;
  /** Name of a Unix socket outside the file system. */
  abstractSocket: string;
  /** Who came: the names of what was reached. */
  reached: string[];
  /** Files on the host that are named after the mark. */
  tracesOf(mark: string): Promise<string[]>;
  remove(): Promise<void>;
}

export async function layBait(): Promise<Bait> {
  const secret = `secret-${randomUUID()}`;
  const folder = await mkdtemp(join(tmpdir(), 'turnkeeper-hostile-'));
  const [openFile, ownFile] = [join(folder, 'open'), join(folder, 'own')];
  await chmod(folder, 0o755);
  await writeFile(openFile, secret, { mode: 0o644 });
  await writeFile(ownFile, secret, { mode: 0o600 });
  const reached: string[] = [];
  const unixSocket = join(folder, 'socket');
  const abstractSocket = `turnkeeper-${randomUUID()}`;
  const tcp = await listen('tcp', { host: '127.0.0.1', port: 0 }, reached);
  const { port } = tcp.address() as AddressInfo;
  const unix = await listen('unix', { path: unixSocket }, reached);
  await chmod(unixSocket, 0o777);
  const abstract = await listen('abstract', { path: `\0${abstractSocket}` }, reached);
  const udp = createSocket('udp4', () => void reached.push('udp')).bind(port, '127.0.0.1');
  await once(udp, 'listening');
  return {
    ...{ secret, openFile, ownFile, port, unixSocket, abstractSocket, reached },
    tracesOf: (mark) => tracesIn([...WRITABLE_BY_ROOT, tmpdir(), folder], mark),
    async remove() {
      for (const server of [tcp, unix, abstract]) server.close();
      udp.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function listen(name: string, options: ListenOptions, reached: string[]) {
  const server = createServer((socket) => {
    reached.push(name);
    socket.on('error', () => undefined).destroy();
  });
  server.listen(options);
  await once(server, 'listening');
  return server;
}

async function tracesIn(folders: string[], mark: string): Promise<string[]> {
  const paths = folders.map((folder) => join(folder, mark));
  const found = await Promise.all(paths.map((path) => stat(path).catch(() => null)));
  return paths.filter((_, index) => found[index] !== null);
}

export interface Sightings {
  /** The most processes and threads at once. */
  processes: number;
  /** The most memory they had together; 0 when it was not looked at. */
  bytes: number;
  /** Who they were on the host, as numbers of users. */
  users: Set<number>;
}

/** Watches the host's processes that carry the mark until `during` settles. */
export async function watch<T>(
  { mark, memory }: { mark: string; memory: boolean },
  during: Promise<T>,
): Promise<[T, Sightings]> {
  const seen: Sightings = { processes: 0, bytes: 0, users: new Set() };
  const end = { came: false };
  const settled = during.finally(() => (end.came = true));
  // Rejections are for whoever awaits `during` below.
  settled.catch(() => undefined);
  while (!end.came) {
    const pids = await markedProcesses(mark);
    const states = await Promise.all(pids.map(stateOf));
    seen.processes = Math.max(seen.processes, sum(states.map(({ threads }) => threads)));
    for (const { user } of states) if (user !== null) seen.users.add(user);
    if (memory) seen.bytes = Math.max(seen.bytes, sum(await Promise.all(pids.map(memoryOf))));
    await delay(WATCH_MS);
  }
  return [await during, seen];
}

/** Process ids on this host, in whatever namespace they run. */
export async function markedProcesses(mark: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(pids.map((pid) => readProc(pid, 'cmdline')));
  return pids.filter((_, index) => commands[index]?.includes(mark));
}

async function stateOf(pid: string): Promise<{ threads: number; user: number | null }> {
  const status = await readProc(pid, 'status');
  const [threads, user] = [/^Threads:\s+(\d+)/m, /^Uid:\s+(\d+)/m].map(
    (field) => field.exec(status)?.[1],
  );
  return { threads: Number(threads ?? 0), user: user === undefined ? null : Number(user) };
}

/** Memory that is shared by several is counted in parts, so that the sum is right. Waits for a process that forks. */
async function memoryOf(pid: string): Promise<number> {
  const kilobytes = /^Pss:\s+(\d+)/m.exec(await readProc(pid, 'smaps_rollup'))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

/** Empty when it has ended meanwhile. */
function readProc(pid: string, file: string): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
