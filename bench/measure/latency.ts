import type { TurnTiming } from '../contestant.ts';
import type { Host } from '../host/remote.ts';
import type { Plan } from '../plan.ts';
import { cpuBetween, cpuPerTurn, readCpu, type CpuTimes } from './cpu.ts';
import { median, quantile } from './statistics.ts';

export interface Latency {
  samples: number;
  /** Milliseconds more than the loop in memory took, in the same round, at the median. */
  addedToFirstDelta: { p50: number; p95: number };
  addedToCompletion: { p50: number; p95: number };
  /** Processor time of a turn, one turn at a time. */
  cpu: CpuTimes;
}

interface Block {
  timings: TurnTiming[];
  turns: number;
  cpu: CpuTimes;
}

/** One turn at a time, in blocks that take turns. `zero` is what the others are compared with. */
export async function measureLatency(
  hosts: Host[],
  zero: Host,
  plan: Plan,
  { beforeBlock, onRound }: { beforeBlock: () => Promise<void>; onRound: (round: number) => void },
): Promise<Map<Host, Latency>> {
  const blocks = new Map<Host, Block[]>(hosts.map((host) => [host, []]));
  for (let round = 0; round < plan.rounds; round += 1) {
    onRound(round + 1);
    for (const host of rotated(hosts, round)) {
      await beforeBlock();
      const block = await runBlock(host, plan.block);
      if (round > 0) blocks.get(host)?.push(block);
    }
  }
  const zeros = blocks.get(zero) ?? [];
  return new Map(hosts.map((host) => [host, summarize(blocks.get(host) ?? [], zeros)]));
}

/** Nobody always comes after the same one. */
function rotated<T>(values: T[], by: number): T[] {
  const start = by % values.length;
  return [...values.slice(start), ...values.slice(0, start)];
}

async function runBlock(host: Host, turns: number): Promise<Block> {
  const before = readCpu(host.processes);
  const timings = await host.runTurns(turns);
  return { timings: timings.slice(1), turns, cpu: cpuBetween(before, readCpu(host.processes)) };
}

function summarize(blocks: Block[], zeros: Block[]): Latency {
  const firstDelta = addedBy(blocks, zeros, ({ firstDeltaMs }) => firstDeltaMs);
  const completion = addedBy(blocks, zeros, ({ doneMs }) => doneMs);
  const turns = blocks.reduce((sum, block) => sum + block.turns, 0);
  return {
    samples: firstDelta.length,
    addedToFirstDelta: spread(firstDelta),
    addedToCompletion: spread(completion),
    cpu: cpuPerTurn(
      blocks.map(({ cpu }) => cpu),
      turns,
    ),
  };
}

function addedBy(blocks: Block[], zeros: Block[], pick: (timing: TurnTiming) => number): number[] {
  return blocks.flatMap(({ timings }, round) => {
    const zero = median((zeros[round]?.timings ?? []).map(pick));
    return timings.map((timing) => pick(timing) - zero);
  });
}

function spread(samples: number[]): { p50: number; p95: number } {
  return { p50: median(samples), p95: quantile(samples, 0.95) };
}
