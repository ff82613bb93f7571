import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** The process, then all that it has started: a database serves each connection with a process of its own. */
export async function stopTree(pid: number): Promise<number[]> {
  // Once it is stopped, it starts no more.
  send(pid, 'SIGSTOP');
  const pids = [pid, ...(await descendantsOf(pid))];
  signalAll(pids, 'SIGSTOP');
  return pids;
}

export async function killTree(pid: number): Promise<void> {
  signalAll(await stopTree(pid), 'SIGKILL');
}

export function signalAll(pids: number[], signal: NodeJS.Signals): void {
  for (const pid of pids) send(pid, signal);
}

async function descendantsOf(pid: number): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=']);
  const lines = stdout.trim().split('\n');
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  const below = (parent: number): number[] =>
    pairs.flatMap(([child = 0, of]) => (of === parent ? [child, ...below(child)] : []));
  return below(pid);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}
