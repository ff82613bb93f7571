/**
 * The HTTP gateway: `npm start`. What the environment does not name it starts itself, with a worker. Writes one line of JSON
 * to standard output, `{"listening": url}` or `{"error": {"code", "message"}}`; what is for people goes to standard error.
 */
import { readFileSync } from 'node:fs';
import { composeGateway } from './compose.ts';
import { childEnvironment, loadConfig, readServer } from './config.ts';
import type { Config, ServerSettings } from './config.ts';
import { redactUrl } from './config/readers.ts';
import { isTurnkeeperError, TurnkeeperError } from './contracts/errors.ts';
import { describeError } from './contracts/thrown.ts';
import { startEmbedded, type Embedded } from './dev/embedded.ts';
import { namedServices } from './dev/services/environment.ts';
import { ended, Interrupted, listenForEnd } from './dev/services/interruption.ts';
import { createResources, type Resources } from './dev/services/resources.ts';
import { createStartBoard, type StartBoard } from './dev/services/start-board.ts';
import { openTerminal } from './dev/services/terminal.ts';
import type { OnLost } from './dev/services/watched.ts';
import { listen, requireFree } from './gateway/listen.ts';
import { jsonLogger } from './telemetry/logger.ts';

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string };
const logger = jsonLogger();
/** Until the embedded one is there. */
const NO_DATABASE = 'postgres://127.0.0.1/none';
const dumb = childEnvironment({})['TERM'] === 'dumb';
const terminal = openTerminal(process.stderr, { dumb });

process.exit(await main());

async function main(): Promise<number> {
  const { signal } = listenForEnd();
  const resources = createResources();
  const { lost, onLost } = watchParts();
  try {
    const starting = start(createStartBoard(terminal), { resources, signal, onLost });
    print({ listening: await Promise.race([starting, ended(signal), lost]) });
    await Promise.race([ended(signal), lost]);
    return 0;
  } catch (error) {
    return report(error);
  } finally {
    await resources.close();
    terminal.line('Everything is stopped.');
  }
}

interface Stage {
  resources: Resources;
  signal: AbortSignal;
  onLost: OnLost;
}

/** `lost` rejects when a part ends by itself: then everything ends, and whoever keeps this process alive starts it anew. */
function watchParts(): { lost: Promise<never>; onLost: OnLost } {
  let fail: (error: Error) => void;
  const lost = new Promise<never>((_, reject) => (fail = reject));
  lost.catch(() => undefined);
  return {
    lost,
    onLost(part, { code, signal, reason }) {
      const how = reason ?? signal ?? `exit code ${String(code)}`;
      const message = `${part} has ended by itself (${how}), and everything is stopped. Start again: turns that were accepted go on.`;
      fail(new TurnkeeperError('service_failed', message, { part }));
    },
  };
}

/** Answers where it listens. What is wrong with the settings is told before anything is started. */
async function start(board: StartBoard, stage: Stage): Promise<string> {
  const { resources } = stage;
  const settings = readServer();
  await requireFree(settings);
  loadConfig(
    childEnvironment({ DATABASE_URL: childEnvironment({})['DATABASE_URL'] || NO_DATABASE }),
  );
  const { env, webUi } = await openServices(settings, { board, ...stage });
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
  stage: Stage & { board: StartBoard },
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
  const message = describeError(error);
  const code = isTurnkeeperError(error) ? error.code : 'internal_error';
  terminal.line(`${terminal.style.red('✗')} ${message}`);
  print({ error: { code, message } });
  return 1;
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
