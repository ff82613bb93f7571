import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const POLL_MS = 50;

/** An example in a process of its own. */
export interface RunningExample {
  stdout(): string;
  stderr(): string;
  /** Resolves once standard output or standard error fits; with what fits. */
  wrote(pattern: RegExp): Promise<RegExpMatchArray>;
  kill(signal: NodeJS.Signals): void;
  /** The exit code. */
  ended: Promise<number | null>;
}

export const ROOT = new URL('../../', import.meta.url);

/** On what the environment names. */
export function startExample(
  name: string,
  args: string[],
  env: Record<string, string>,
): RunningExample {
  const script = fileURLToPath(new URL(`examples/${name}/main.ts`, ROOT));
  return start(process.execPath, ['--import', 'tsx', script, ...args], { ...process.env, ...env });
}

/** `npm run example -- …` as the README has it: on embedded services, with the offline model. */
export function runCommand(name: string, args: string[]): RunningExample {
  const { DATABASE_URL: _d, OPENAI_API_KEY: _k, OPENAI_BASE_URL: _u, ...env } = process.env;
  return start('npm', ['run', 'example', '--', name, ...args], { ...env, EMBEDDINGS: 'none' });
}

function start(command: string, args: string[], env: NodeJS.ProcessEnv): RunningExample {
  const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe'];
  const child = spawn(command, args, { cwd: ROOT, env, stdio });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (data: Buffer) => (output.stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (output.stderr += data.toString()));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  const written = () => output.stdout + output.stderr;
  return {
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    async wrote(pattern) {
      for (;;) {
        const match = pattern.exec(written());
        if (match) return match;
        if (child.exitCode !== null) throw new Error(`It ended: ${written()}`);
        await delay(POLL_MS);
      }
    },
    kill: (signal) => void child.kill(signal),
    ended,
  };
}
