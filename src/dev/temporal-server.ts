import { Connection } from '@temporalio/client';
import { setTimeout as delay } from 'node:timers/promises';
import { TurnkeeperError } from '../contracts/errors.ts';
import { startGuarded } from './guarded-process.ts';
import type { Exit, GuardedProcess } from './guarded-process.ts';
import { freePorts } from './ports.ts';

const HOST = '127.0.0.1';
const NAMESPACE = 'default';
const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 50;
const CALL_TIMEOUT_MS = 2_000;
const PORT_ATTEMPTS = 5;
/** `IndexedValueType` of Temporal's API. */
const KEYWORD = 2;
/** Asks again by itself: gRPC waits a second after a refused connection, and the SDK repeats calls until they expire. */
const IMPATIENT = {
  channelArgs: {
    'grpc.initial_reconnect_backoff_ms': POLL_MS,
    'grpc.max_reconnect_backoff_ms': POLL_MS,
  },
  interceptors: [],
};

export interface TemporalServerOptions {
  cliPath: string;
  /** Keeps everything in this SQLite file; without it, in memory. */
  dbFile?: string;
  /** Whether to serve the Web UI. */
  ui: boolean;
  /** Search attributes to register. */
  searchAttributes: Readonly<Record<string, 'Keyword'>>;
}

export interface TemporalServer {
  address: string;
  namespace: string;
  uiUrl: string | null;
  pid: number;
  /** Resolves when its process is gone. */
  exited: Promise<Exit>;
  stop(): Promise<void>;
}

/**
 * Starts Temporal's development server on free ports of 127.0.0.1, tuned for short turns, and waits until it answers.
 * It ends when this process does. Throws `service_failed` with what it wrote when it does not get ready.
 */
export async function startTemporalServer(options: TemporalServerOptions): Promise<TemporalServer> {
  for (let attempt = 1; ; attempt += 1) {
    const [port = 0, uiPort = 0] = await freePorts(2);
    const server = await startOn(port, uiPort, options);
    try {
      await untilReady(server, `${HOST}:${port}`, Object.keys(options.searchAttributes));
      return {
        address: `${HOST}:${port}`,
        namespace: NAMESPACE,
        uiUrl: options.ui ? `http://${HOST}:${uiPort}` : null,
        pid: server.pid,
        exited: server.exited,
        stop: () => stop(server, options),
      };
    } catch (error) {
      await server.stop();
      const taken = server.output().includes('address already in use');
      if (!taken || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

/** With nothing to keep there is nothing to wait for. */
async function stop(server: GuardedProcess, { dbFile }: TemporalServerOptions): Promise<void> {
  if (dbFile === undefined) server.kill('SIGKILL');
  await server.stop();
}

function startOn(
  port: number,
  uiPort: number,
  options: TemporalServerOptions,
): Promise<GuardedProcess> {
  const { cliPath, dbFile, ui } = options;
  return startGuarded({
    name: 'The Temporal development server',
    command: cliPath,
    args: [
      ...['server', 'start-dev', '--ip', HOST, '--port', String(port)],
      ...(ui ? ['--ui-port', String(uiPort), '--ui-disable-news-fetch'] : ['--headless']),
      // Connection settings meant for clients must not reach the server.
      ...['--disable-config-env', '--disable-config-file', '--log-level', 'error'],
      // As shipped it reads its queue 20 times a second, and every workflow task waits for a slot.
      ...['--dynamic-config-value', 'history.transferProcessorMaxPollRPS=5000'],
      ...(dbFile === undefined ? [] : storage(dbFile)),
    ],
  });
}

function storage(dbFile: string): string[] {
  const pragmas = ['journal_mode=WAL', 'synchronous=NORMAL'];
  return ['--db-filename', dbFile, ...pragmas.flatMap((pragma) => ['--sqlite-pragma', pragma])];
}

async function untilReady(
  server: GuardedProcess,
  address: string,
  attributes: string[],
): Promise<void> {
  const connection = Connection.lazy({ address, ...IMPATIENT });
  const deadline = Date.now() + READY_TIMEOUT_MS;
  try {
    for (;;) {
      const ready = await haveAttributes(attributes, connection);
      // Asked first: if the port was taken, somebody else may have answered.
      if (!server.alive()) throw failed('ended before it was ready', server);
      if (ready) return;
      if (Date.now() > deadline)
        throw failed(`was not ready after ${READY_TIMEOUT_MS / 1_000} seconds`, server);
      await delay(POLL_MS);
    }
  } finally {
    await connection.close();
  }
}

/** False also while the server does not answer. Registers those that are missing. */
async function haveAttributes(attributes: string[], connection: Connection): Promise<boolean> {
  const { operatorService } = connection;
  const namespace = NAMESPACE;
  try {
    return await connection.withDeadline(Date.now() + CALL_TIMEOUT_MS, async () => {
      const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
      const missing = attributes.filter((name) => !(name in customAttributes));
      if (missing.length === 0) return true;
      const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]));
      await operatorService.addSearchAttributes({ namespace, searchAttributes });
      return false;
    });
  } catch {
    return false;
  }
}

function failed(what: string, server: GuardedProcess): TurnkeeperError {
  const said = server.output().trim();
  const output = said === '' ? 'It wrote nothing.' : `It wrote:\n${said}\n`;
  return new TurnkeeperError(
    'service_failed',
    `The Temporal development server ${what}. ${output}`,
  );
}
