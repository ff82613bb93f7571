/**
 * Runs an example on embedded services: `npm run example -- <name> [its arguments]`. Where DATABASE_URL is set, the example
 * runs on what the environment names instead.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chooseModel } from '../src/dev/demo/environment.ts';
import { createResources } from '../src/dev/demo/resources.ts';
import { startServices } from '../src/dev/demo/services.ts';
import { createStartBoard } from '../src/dev/demo/start-board.ts';
import { openTerminal } from '../src/dev/demo/terminal.ts';

const FOLDER = fileURLToPath(new URL('../examples', import.meta.url));

async function runOnEmbedded(script: string, args: string[]): Promise<number> {
  const model = chooseModel(null);
  const resources = createResources();
  const terminal = openTerminal(process.stderr, { dumb: process.env['TERM'] === 'dumb' });
  try {
    const { env } = await startServices({
      model,
      offlineDeltaMs: 0,
      parts: false,
      dataDir: null,
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

const [name = '', ...args] = process.argv.slice(2);
const script = `${FOLDER}/${name}/main.ts`;
if (!existsSync(script)) {
  const names = readdirSync(FOLDER).filter((folder) => existsSync(`${FOLDER}/${folder}/main.ts`));
  console.error(`Usage: npm run example -- <name>. The examples: ${names.join(', ')}.`);
  process.exit(2);
}
const isConnected = Boolean(process.env['DATABASE_URL']);
process.exit(await (isConnected ? run(script, args, process.env) : runOnEmbedded(script, args)));
