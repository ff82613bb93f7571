import type { Host } from '../host/remote.ts';
import type { Plan } from '../plan.ts';
import { cpuBetween, cpuPerTurn, readCpu, type CpuTimes } from './cpu.ts';

export interface LoadFigures {
  turnsPerSecond: number;
  /** Processor time of a turn, many at once. */
  cpu: CpuTimes;
}

interface Pass {
  turns: number;
  elapsedMs: number;
  cpu: CpuTimes;
}

/** Many conversations at once, each contestant alone, again and again; the first time is discarded. */
export async function measureLoad(
  hosts: Host[],
  plan: Plan,
  { beforePass, onPass }: { beforePass: () => Promise<void>; onPass: (host: Host) => void },
): Promise<Map<Host, LoadFigures>> {
  const passes = new Map<Host, Pass[]>(hosts.map((host) => [host, []]));
  for (let load = 0; load < plan.loads; load += 1) {
    for (const host of hosts) {
      onPass(host);
      await beforePass();
      const pass = await runPass(host, plan);
      if (load > 0) passes.get(host)?.push(pass);
    }
  }
  return new Map(hosts.map((host) => [host, summarize(passes.get(host) ?? [])]));
}

async function runPass(host: Host, { concurrency, loadMs: durationMs }: Plan): Promise<Pass> {
  const before = readCpu(host.processes);
  const load = await host.runLoad({ concurrency, durationMs });
  return { ...load, cpu: cpuBetween(before, readCpu(host.processes)) };
}

function summarize(passes: Pass[]): LoadFigures {
  const turns = passes.reduce((sum, pass) => sum + pass.turns, 0);
  const seconds = passes.reduce((sum, { elapsedMs }) => sum + elapsedMs, 0) / 1_000;
  return {
    turnsPerSecond: turns / seconds,
    cpu: cpuPerTurn(
      passes.map(({ cpu }) => cpu),
      turns,
    ),
  };
}
