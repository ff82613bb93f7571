/**
 * Runs an example on embedded services: `npm run example -- <name> [--data-dir DIR] [its arguments]`. Without a folder its
 * data is temporary. Where DATABASE_URL is set, the example runs on what the environment names instead.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chooseModel, NOTHING_NAMED } from '../src/dev/services/environment.ts';
import { createResources } from '../src/dev/services/resources.ts';
import { startServices } from '../src/dev/services/services.ts';
import { createStartBoard } from '../src/dev/services/start-board.ts';
import { openTerminal } from '../src/dev/services/terminal.ts';

const FOLDER = fileURLToPath(new URL('../examples', import.meta.url));

interface Run {
  script: string;
  /** The example's own. */
  args: string[];
  /** Null for a temporary folder. */
  dataDir: string | null;
}

async function runOnEmbedded({ script, args, dataDir }: Run): Promise<number> {
  const model = chooseModel(null);
  const resources = createResources();
  const terminal = openTerminal(process.stderr, { dumb: process.env['TERM'] === 'dumb' });
  try {
    const { env } = await startServices({
      named: NOTHING_NAMED,
      model,
      offlineDeltaMs: 0,
      parts: false,
      dataDir,
      resources,
      board: createStartBoard(terminal),
      signal: new AbortController().signal,
    });
    terminal.line();
    return await run(script, args, { ...process.env, ...env, MODEL: model.name });
  } finally {
    await resources.close();
  }
}

/** Answers its exit code. It gets its signals from the terminal, or from us. */
async function run(script: string, args: string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...args], {
    env,
    stdio: 'inherit',
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

function readRun(script: string, args: string[]): Run {
  const at = args.indexOf('--data-dir');
  if (at === -1) return { script, args, dataDir: null };
  const path = args[at + 1];
  if (!path) usage('--data-dir needs a folder.');
  if (isConnected) usage('--data-dir and DATABASE_URL exclude each other.');
  return { script, args: args.toSpliced(at, 2), dataDir: resolve(path) };
}

function usage(mistake: string): never {
  const names = readdirSync(FOLDER).filter((folder) => existsSync(`${FOLDER}/${folder}/main.ts`));
  console.error(mistake);
  console.error('Usage: npm run example -- <name> [--data-dir DIR] [its arguments].');
  console.error(`The examples: ${names.join(', ')}.`);
  process.exit(2);
}

const isConnected = Boolean(process.env['DATABASE_URL']);
const [name = '', ...args] = process.argv.slice(2);
const script = `${FOLDER}/${name}/main.ts`;
if (!existsSync(script)) usage('There is no such example.');
const asked = readRun(script, args);
process.exit(await (isConnected ? run(script, asked.args, process.env) : runOnEmbedded(asked)));
