import { fork, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Processes, Setup } from '../contestant.ts';
import type { ContestantName } from '../contestants/index.ts';
import type { Answer, CommandName, Commands } from './protocol.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const OUTPUT_SHOWN = 2_000;

/** A contestant in its own process. */
export type Host = Omit<Commands, 'start'> & {
  name: ContestantName;
  processes: Processes;
};

/** Starts a contestant with all its parts; what its process writes goes to a file in `scratch`. */
export async function startHost(name: ContestantName, setup: Setup): Promise<Host> {
  const folder = join(setup.scratch, name);
  await mkdir(folder);
  const logFile = join(folder, 'output.log');
  const child = spawnHost(name, logFile);
  const commands = remoteCommands(name, child, logFile);
  const processes = await commands.start({ ...setup, scratch: folder });
  return {
    name,
    processes: { ...processes, backend: child.pid ?? 0 },
    runTurns: commands.runTurns,
    runLoad: commands.runLoad,
    grow: commands.grow,
    async stop() {
      await commands.stop();
      child.disconnect();
    },
  };
}

function spawnHost(name: ContestantName, logFile: string): ChildProcess {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const output = openSync(logFile, 'w');
  const child = fork(MAIN, [name], {
    execArgv: ['--import', tsx],
    stdio: ['ignore', output, output, 'ipc'],
  });
  closeSync(output);
  return child;
}

function remoteCommands(name: ContestantName, child: ChildProcess, logFile: string): Commands {
  const call =
    <Name extends CommandName>(command: Name) =>
    (argument?: unknown) =>
      request(child, { command, argument }).catch(async (error: unknown) => {
        const output = (await readFile(logFile, 'utf8')).slice(-OUTPUT_SHOWN);
        throw new Error(`${name} failed to ${command}.\n${output}`, { cause: error });
      }) as ReturnType<Commands[Name]>;
  return {
    start: call('start'),
    runTurns: call('runTurns'),
    runLoad: call('runLoad'),
    grow: call('grow'),
    stop: call('stop'),
  };
}

function request(
  child: ChildProcess,
  message: { command: CommandName; argument: unknown },
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error('Its process has ended.'));
    child.once('exit', ended);
    child.once('message', (answer: Answer) => {
      child.off('exit', ended);
      if ('error' in answer) reject(new Error(answer.error));
      else resolve(answer.result);
    });
    child.send(message);
  });
}
