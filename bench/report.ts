import type { Role } from './contestant.ts';
import { CONTESTANTS } from './contestants/index.ts';
import type { Growth } from './host/protocol.ts';
import type { Host } from './host/remote.ts';
import type { CpuTimes } from './measure/cpu.ts';
import type { Latency } from './measure/latency.ts';
import type { LoadFigures } from './measure/load.ts';
import { median } from './measure/statistics.ts';
import { DELTA_MS, DELTAS } from './model.ts';
import type { Plan } from './plan.ts';
import type { Version } from './versions.ts';

export interface Results {
  plan: Plan;
  hosts: Host[];
  latency: Map<Host, Latency>;
  load: Map<Host, LoadFigures>;
  growth: Map<Host, Growth[]>;
}

export interface Circumstances {
  command: string;
  startedAt: Date;
  seconds: number;
  machine: string;
  versions: Version[];
}

/** The report, in Markdown. */
export function reportOf(results: Results, circumstances: Circumstances): string {
  return `${[
    '# Benchmark',
    heading(circumstances),
    method(results.plan),
    '## Time',
    'Milliseconds more than the loop in memory took in the same round, one turn at a time.',
    timeTable(results),
    `## Work, ${results.plan.concurrency} turns at a time`,
    `Processor milliseconds of a turn by process. In brackets: one turn at a time, when nothing is shared between turns and what runs without turns (polls, sweeps, timers) weighs more.`,
    workTable(results),
    '## What is kept',
    'Tables with their indexes after `VACUUM FULL`, and histories, of one conversation.',
    stateTable(results),
    '## What each of them is',
    notes(results),
    '## Versions',
    versionTable(circumstances.versions),
  ].join('\n\n')}\n`;
}

function heading({ command, startedAt, seconds, machine }: Circumstances): string {
  return [
    `\`${command}\`, ${startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC, ${Math.round(seconds)} s`,
    `on ${machine}.`,
  ].join(' ');
}

function method(plan: Plan): string {
  return [
    `All contestants run side by side, each with its own processes and its own servers, and call the same scripted`,
    `model over HTTP through the \`openai\` package: ${DELTAS} deltas, ${DELTA_MS} ms before each. After ${plan.warmUp}`,
    `turns to warm up they take turns in ${plan.rounds} rounds of ${plan.block} turns one after another, each round in`,
    `another order; the first round and the first turn of each block are discarded. Then each is put under load alone,`,
    `${plan.loads} times ${plan.loadMs / 1_000} s; the first time is discarded. PostgreSQL runs with its defaults, but with`,
    `\`fsync=off\` for everybody: what is kept survives the death of any process, not of the machine; Temporal's`,
    `development server keeps histories in memory. Pools have 10 connections.`,
  ].join('\n');
}

function timeTable({ hosts, latency }: Results): string {
  return table(
    ['', 'first delta p50', 'p95', 'completion p50', 'p95', 'turns measured'],
    hosts.map((host) => {
      const figures = latency.get(host);
      const { addedToFirstDelta: first, addedToCompletion: done } = figures ?? {};
      return [
        CONTESTANTS[host.name].title,
        ...[first?.p50, first?.p95, done?.p50, done?.p95].map(milliseconds),
        String(figures?.samples),
      ];
    }),
  );
}

const ROLES: Role[] = ['backend', 'worker', 'database', 'temporal'];

function workTable({ hosts, load, latency }: Results): string {
  return table(
    ['', 'turns a second', 'backend', 'worker', 'database', 'Temporal'],
    hosts.map((host) => [
      CONTESTANTS[host.name].title,
      (load.get(host)?.turnsPerSecond ?? NaN).toFixed(0),
      ...ROLES.map((role) => work(load.get(host)?.cpu, latency.get(host)?.cpu, role)),
    ]),
  );
}

function work(loaded: CpuTimes | undefined, single: CpuTimes | undefined, role: Role): string {
  if (loaded?.[role] === undefined) return '–';
  return `${milliseconds(loaded[role])} (${milliseconds(single?.[role])})`;
}

function stateTable({ hosts, growth, plan }: Results): string {
  return table(
    [
      '',
      'workflow tasks a turn',
      'events a turn',
      ...plan.growth.map((turns) => `kB after ${turns} turns`),
    ],
    hosts.map((host) => {
      const grown = growth.get(host) ?? [];
      const histories = grown.at(-1)?.histories ?? [];
      const typical = (values: number[]) => (values.length > 0 ? String(median(values)) : '–');
      return [
        CONTESTANTS[host.name].title,
        typical(histories.map(({ workflowTasks }) => workflowTasks)),
        typical(histories.map(({ events }) => events)),
        ...grown.map(kept),
      ];
    }),
  );
}

function kept({ databaseBytes, histories }: Growth): string {
  const historyBytes = histories.reduce((sum, { bytes }) => sum + bytes, 0);
  const tables = kilobytes(databaseBytes);
  return histories.length === 0 ? tables : `${tables} + ${kilobytes(historyBytes)} history`;
}

function notes({ hosts }: Results): string {
  return hosts
    .map(({ name }) => `- **${CONTESTANTS[name].title}**: ${CONTESTANTS[name].note}`)
    .join('\n');
}

function versionTable(versions: Version[]): string {
  return table(
    ['', 'version'],
    versions.map(({ name, version }) => [name, version]),
  );
}

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, index) => (index === 0 ? '---' : '---:'));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? '–' : value.toFixed(1);
}

function kilobytes(bytes: number): string {
  return (bytes / 1_000).toFixed(0);
}
