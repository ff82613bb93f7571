/**
 * The HTTP gateway: `npm start`. What the environment does not name it starts itself, with a worker. Writes one line of JSON
 * to standard output, `{"listening": url}` or `{"error": {"code", "message"}}`; what is for people goes to standard error.
 */
import { readFileSync } from 'node:fs';
import { composeGateway } from './compose.ts';
import { childEnvironment, loadConfig, readServer } from './config.ts';
import type { Config, ServerSettings } from './config.ts';
import { redactUrl } from './config/readers.ts';
import { isTurnkeeperError } from './contracts/errors.ts';
import { startEmbedded, type Embedded } from './dev/embedded.ts';
import { namedServices } from './dev/services/environment.ts';
import { ended, Interrupted, listenForEnd } from './dev/services/interruption.ts';
import { createResources, type Resources } from './dev/services/resources.ts';
import { createStartBoard, type StartBoard } from './dev/services/start-board.ts';
import { openTerminal } from './dev/services/terminal.ts';
import { listen, requireLoopback } from './gateway/listen.ts';
import { jsonLogger } from './telemetry/logger.ts';

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string };
const logger = jsonLogger();
const dumb = childEnvironment({})['TERM'] === 'dumb';
const terminal = openTerminal(process.stderr, { dumb });

process.exit(await main());

async function main(): Promise<number> {
  const { signal } = listenForEnd();
  const resources = createResources();
  try {
    const starting = start(createStartBoard(terminal), resources, signal);
    print({ listening: await Promise.race([starting, ended(signal)]) });
    await ended(signal);
    return 0;
  } catch (error) {
    return report(error);
  } finally {
    await resources.close();
    terminal.line('Everything is stopped.');
  }
}

/** Answers where it listens. */
async function start(
  board: StartBoard,
  resources: Resources,
  signal: AbortSignal,
): Promise<string> {
  const settings = readServer();
  requireLoopback(settings.host);
  const { env, webUi } = await openServices(settings, { board, resources, signal });
  const config = loadConfig(childEnvironment(env));
  const info = {
    version,
    temporalUi: webUi,
    namespace: config.temporal.namespace,
    runsOn: board.ready(),
  };
  const { app } = await resources.start(
    () => composeGateway(config, { ...settings, info, logger }),
    (gateway) => gateway.close(),
  );
  const url = await listen(app, settings);
  board.done('listening', `${url}, with a page to look at: ${url}/console`);
  return url;
}

/** With a database and a Temporal that are named, workers are somebody else's as well. */
async function openServices(
  { dataDir }: ServerSettings,
  stage: { board: StartBoard; resources: Resources; signal: AbortSignal },
): Promise<Embedded> {
  const named = namedServices();
  if (!named.database || !named.temporal) {
    return startEmbedded({ ...stage, named, dataDir, logger });
  }
  showNamed(loadConfig(), stage.board);
  return { env: {}, webUi: null };
}

function showNamed({ databaseUrl, temporal, taskQueue }: Config, board: StartBoard): void {
  board.done('database', redactUrl(databaseUrl));
  board.done('Temporal', `${temporal.connectionOptions.address}, namespace ${temporal.namespace}`);
  board.note(
    `Workers on the task queue ${taskQueue} do the work: start them with the same settings.`,
  );
}

function report(error: unknown): number {
  // Asked to end is no failure, unless it had not begun.
  if (error instanceof Interrupted) return 0;
  const message = error instanceof Error ? error.message : String(error);
  const code = isTurnkeeperError(error) ? error.code : 'internal_error';
  terminal.line(`${terminal.style.red('✗')} ${message}`);
  print({ error: { code, message } });
  return 1;
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
