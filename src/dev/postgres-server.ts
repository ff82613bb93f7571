import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { startGuarded } from './guarded-process.ts';
import type { GuardedProcess } from './guarded-process.ts';
import { freePorts } from './ports.ts';

const run = promisify(execFile);

const HOST = '127.0.0.1';
const POLL_MS = 50;
const PORT_ATTEMPTS = 5;
const DEBIAN_VERSIONS = '/usr/lib/postgresql';

/** A PostgreSQL of its own, on a free port. It ends when this process does. */
export interface PostgresServer {
  /** Its `postgres` database. */
  url: string;
  pid: number;
  /** Ends it, and removes temporary data. */
  stop(): Promise<void>;
}

interface User {
  uid: number;
  gid: number;
}

/**
 * Keeps its data in `dataDir`, or in a temporary folder. Throws when there is no PostgreSQL on this machine, or none that can
 * be run.
 */
export async function startPostgresServer({
  dataDir,
}: { dataDir?: string } = {}): Promise<PostgresServer> {
  const bin = await findBin();
  const user = await otherUser();
  if (dataDir !== undefined) return startIn(dataDir, { bin, user, durable: true });
  const folder = await mkdtemp(join(tmpdir(), 'turnkeeper-postgres-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const server = await startIn(folder, { bin, user, durable: false });
    const stop = () => server.stop().finally(remove);
    return { ...server, stop };
  } catch (error) {
    await remove();
    throw error;
  }
}

interface Installation {
  bin: string;
  user: User | null;
  /** Whether the data must outlive the machine, not processes alone. */
  durable: boolean;
}

async function startIn(folder: string, installation: Installation): Promise<PostgresServer> {
  const { bin, user } = installation;
  await mkdir(folder, { recursive: true });
  if (user) await chown(folder, user.uid, user.gid);
  if (!existsSync(join(folder, 'PG_VERSION'))) await initialize(bin, folder, user);
  return await startOnFreePort(folder, installation);
}

async function startOnFreePort(
  folder: string,
  installation: Installation,
): Promise<PostgresServer> {
  for (let attempt = 1; ; attempt += 1) {
    const [port = 0] = await freePorts(1);
    try {
      return await startOn(port, folder, installation);
    } catch (error) {
      const taken = error instanceof Error && error.message.includes('Address already in use');
      if (!taken || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

async function startOn(
  port: number,
  folder: string,
  { bin, user, durable }: Installation,
): Promise<PostgresServer> {
  const url = `postgres://postgres@${HOST}:${port}/postgres`;
  const server = await startGuarded({
    name: 'PostgreSQL',
    command: join(bin, 'postgres'),
    args: ['-D', folder, ...settings(port, durable)],
    stopSignal: 'SIGINT',
    ...(user && { user }),
  });
  await untilReady(server, url);
  return { url, pid: server.pid, stop: () => server.stop() };
}

function settings(port: number, durable: boolean): string[] {
  const values = {
    port,
    listen_addresses: HOST,
    unix_socket_directories: '',
    max_connections: 200,
    fsync: durable ? 'on' : 'off',
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

async function untilReady(server: GuardedProcess, url: string): Promise<void> {
  for (;;) {
    const ready = await answers(url);
    // Asked first: if the port was taken, somebody else may have answered.
    if (!server.alive()) throw new Error(`PostgreSQL did not start: ${server.output()}`);
    if (ready) return;
    await delay(POLL_MS);
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end();
  }
}

/** `initdb` runs as whoever runs the server. */
async function initialize(bin: string, folder: string, user: User | null): Promise<void> {
  const options = [
    '--username=postgres',
    '--auth=trust',
    '--encoding=UTF8',
    '--locale=C',
    '--no-sync',
  ];
  await run(join(bin, 'initdb'), ['-D', folder, ...options], { cwd: folder, ...user });
}

/** Debian keeps the server's programs out of PATH. */
async function findBin(): Promise<string> {
  const versions = await readdir(DEBIAN_VERSIONS).catch(() => []);
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
  if (newest !== undefined) return join(DEBIAN_VERSIONS, newest, 'bin');
  const { stdout } = await run('pg_config', ['--bindir']).catch(() => {
    throw new Error('no PostgreSQL server on this machine');
  });
  return stdout.trim();
}

/** PostgreSQL refuses to run as root: the `postgres` user then, which its package creates. */
async function otherUser(): Promise<User | null> {
  if (process.getuid?.() !== 0) return null;
  const id = async (flag: string): Promise<number> =>
    Number((await run('id', [flag, 'postgres'])).stdout);
  return { uid: await id('-u'), gid: await id('-g') };
}
