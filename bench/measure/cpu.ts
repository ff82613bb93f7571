import { readdirSync, readFileSync } from 'node:fs';
import type { Processes, Role } from '../contestant.ts';

/** Linux counts processor time in hundredths of a second, whatever the machine. */
const MS_PER_TICK = 10;

/** Processor time of processes by what they are, milliseconds. */
export type CpuTimes = Partial<Record<Role, number>>;

/** Processor time so far, each process with all its descendants, the dead ones included. */
export function readCpu(processes: Processes): CpuTimes {
  const all = readProcesses();
  const roots = new Set(Object.values(processes));
  return mapTimes(processes, (pid) => treeTime(pid, all, roots));
}

export function cpuBetween(before: CpuTimes, after: CpuTimes): CpuTimes {
  return mapTimes(after, (ms, role) => ms - (before[role] ?? 0));
}

/** The mean of a turn. */
export function cpuPerTurn(times: CpuTimes[], turns: number): CpuTimes {
  const sum = (role: Role) => times.reduce((total, time) => total + (time[role] ?? 0), 0);
  return mapTimes(times[0] ?? {}, (_, role) => sum(role) / turns);
}

function mapTimes(
  values: Partial<Record<Role, number>>,
  change: (value: number, role: Role) => number,
): CpuTimes {
  const entries = Object.entries(values) as [Role, number][];
  return Object.fromEntries(entries.map(([role, value]) => [role, change(value, role)]));
}

interface ProcessStat {
  parent: number;
  ms: number;
}

/** A descendant that plays a role of its own counts there. */
function treeTime(pid: number, all: Map<number, ProcessStat>, roots: Set<number>): number {
  const own = all.get(pid)?.ms ?? 0;
  const children = [...all].filter(([id, { parent }]) => parent === pid && !roots.has(id));
  return children.reduce((sum, [id]) => sum + treeTime(id, all, roots), own);
}

function readProcesses(): Map<number, ProcessStat> {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return new Map(pids.flatMap((pid) => readStat(Number(pid))));
}

/** Nothing when the process has just ended. */
function readStat(pid: number): [number, ProcessStat][] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return [[pid, { parent: Number(fields[1]), ms: ticks * MS_PER_TICK }]];
  } catch {
    return [];
  }
}
