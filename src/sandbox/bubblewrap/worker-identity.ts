import { readFile, readlink } from 'node:fs/promises';

/** One process among all that ever ran since the machine started: `<pid namespace>-<pid>-<start time in clock ticks>`. */
export async function ownIdentity(): Promise<string> {
  return `${await ownNamespace()}-${process.pid}-${String(await startTime(process.pid))}`;
}

/** True only when it is certain: of processes in other pid namespaces nothing can be known. */
export async function isGone(identity: string): Promise<boolean> {
  const [namespace, pid, start] = identity.split('-').map(Number);
  if (pid === undefined || namespace !== (await ownNamespace())) return false;
  return (await startTime(pid)) !== start;
}

async function ownNamespace(): Promise<number> {
  const name = await readlink('/proc/self/ns/pid');
  return Number(/\d+/.exec(name)?.[0]);
}

/** Null when there is no such process. */
async function startTime(pid: number): Promise<number | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  // The second field is the program's name in brackets, which may hold anything; start time is the 22nd.
  return stat === null ? null : Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
}
