import { execFile } from 'node:child_process';
import { nodeArguments } from '../../src/dev/child.ts';
import { runnable } from './compile.ts';

const CLI = new URL('../../src/cli.ts', import.meta.url);

export interface Ended {
  code: number | string | null | undefined;
  stdout: string;
  stderr: string;
}

/** The command line as a user starts it, with nothing set but what is given. */
export function turnkeeper(
  args: string[],
  env: Record<string, string | undefined> = {},
): Promise<Ended> {
  const settings = { PATH: process.env['PATH'], ...env };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [...nodeArguments(runnable(CLI)), ...args],
      { env: settings, timeout: 170_000 },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
    );
  });
}
