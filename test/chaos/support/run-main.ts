import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

export interface MainRun<Summary> {
  /** The last line that it wrote; empty when that is no JSON. */
  summary: Partial<Summary>;
  stderr: string;
  exitCode: number;
}

/** Runs a chaos script of ours, which ends with one line of JSON. */
export async function runMain<Summary>(
  script: string,
  { args, limitMs }: { args: string[]; limitMs: number },
): Promise<MainRun<Summary>> {
  const command = ['--import', 'tsx', script, ...args];
  const running = promisify(execFile)(process.execPath, command, { timeout: limitMs });
  const { stdout, stderr, exitCode } = await running.then(
    (output) => ({ ...output, exitCode: 0 }),
    (error: unknown) => ({ ...(error as { stdout: string; stderr: string }), exitCode: 1 }),
  );
  const last = stdout.trim().split('\n').at(-1) ?? '';
  return { summary: last.startsWith('{') ? (JSON.parse(last) as Summary) : {}, stderr, exitCode };
}
