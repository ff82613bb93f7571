/**
 * The embedded database, a process of its own: PGlite with pgvector behind a loopback socket.
 *
 *     main.js (--data-dir DIR | --memory) [--port 0] [--exit-with-parent]
 *
 * Prints one JSON line: `{"listening": url}`, or `{"error": {"code", "message"}}` and exits with 1.
 */
import type { PGlite } from '@electric-sql/pglite';
import { access, mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { isTurnkeeperError, TurnkeeperError } from '../../contracts/errors.ts';
import { describeError } from '../../contracts/thrown.ts';
import { lockDataDir } from './lock.ts';
import { openPglite } from './open.ts';
import { servePglite } from './server.ts';

interface Arguments {
  dataDir: string | null;
  port: number;
  exitWithParent: boolean;
}

function readArguments(): Arguments {
  const { values } = parseArgs({
    options: {
      'data-dir': { type: 'string' },
      memory: { type: 'boolean', default: false },
      port: { type: 'string', default: '0' },
      'exit-with-parent': { type: 'boolean', default: false },
    },
  });
  const dataDir = values['data-dir'];
  if ((dataDir === undefined) !== values.memory) {
    throw new TurnkeeperError('invalid_setting', 'Give either --data-dir or --memory.');
  }
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new TurnkeeperError('invalid_setting', `--port is ${values.port}, not a port number.`);
  }
  return {
    dataDir: dataDir === undefined ? null : resolve(dataDir),
    port,
    exitWithParent: values['exit-with-parent'],
  };
}

/** Opens the database below `dir`; one whose creation was interrupted is created anew. */
async function openDatabase(dir: string): Promise<PGlite> {
  const data = join(dir, 'pgdata');
  const created = join(dir, 'pgdata.created');
  const complete = await access(created).then(
    () => true,
    () => false,
  );
  if (!complete) await rm(data, { recursive: true, force: true });
  const db = await openPglite(data);
  if (!complete) await writeFile(created, '');
  return db;
}

async function serve({ dataDir, port, exitWithParent }: Arguments): Promise<void> {
  if (dataDir !== null) await mkdir(dataDir, { recursive: true });
  const unlock = dataDir === null ? null : await lockDataDir(dataDir);
  const db = await (dataDir === null ? openPglite(null) : openDatabase(dataDir));
  const server = await servePglite(db, { port, onBroken: fail });
  const stop = async (): Promise<void> => {
    await server.close();
    await db.close();
    await unlock?.();
    process.exit(0);
  };
  onStop(exitWithParent, () => void stop().catch(fail));
  print({ listening: `postgres://postgres@127.0.0.1:${server.port}/postgres` });
}

function onStop(exitWithParent: boolean, stop: () => void): void {
  let stopping = false;
  const once = (): void => {
    if (!stopping) stop();
    stopping = true;
  };
  process.on('SIGTERM', once);
  // Ctrl-C reaches the whole process group: with a parent, the parent says when the database may go.
  process.on('SIGINT', () => exitWithParent || once());
  if (exitWithParent) process.stdin.on('close', once).resume();
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function fail(error: unknown): void {
  const code = isTurnkeeperError(error) ? error.code : 'service_failed';
  const message = describeError(error);
  process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`, () => process.exit(1));
}

// A parent that dies closes our output: that must not end us before the database is closed.
process.stdout.on('error', () => undefined);
try {
  await serve(readArguments());
} catch (error) {
  fail(error);
}
