import pg from 'pg';
import { readCpu, cpuBetween } from '../measure/cpu.ts';
import { quantile } from '../measure/statistics.ts';
import { follow, type Arrival } from './follow.ts';
import { residentBytes } from './memory.ts';
import { startTurn, type Service } from './service.ts';

export interface Latency {
  p50: number;
  p95: number;
}

export interface StreamFigures {
  streams: number;
  deltas: number;
  /** From the model's sending to the reader, milliseconds. */
  whole: Latency;
  /** From the insert of the event to the reader; null behind the plain proxy. */
  fromAppend: Latency | null;
  /** Share of one processor, and memory at the end, of each process. */
  processes: { name: string; cpu: number; bytes: number }[];
}

/** So many streams at once through gateway and worker. */
export async function measureService(service: Service, streams: number): Promise<StreamFigures> {
  const { worker, gateway, database } = service.processes;
  return measured(streams, { worker, backend: gateway, database }, async () => {
    const turns = await Promise.all(Array.from({ length: streams }, () => startTurn(service)));
    const readings = await Promise.all(
      turns.map((id) => follow(`${service.url}/api/turns/${id}/events`)),
    );
    const arrivals = readings.map((reading) => reading.arrivals);
    const waits = await sinceAppend(service.databaseUrl, turns, arrivals);
    return { arrivals: arrivals.flat(), fromAppend: latencyOf(waits) };
  });
}

/** The same through a proxy that keeps nothing. */
export async function measureProxy(
  proxy: { url: string; pid: number },
  streams: number,
): Promise<StreamFigures> {
  return measured(streams, { backend: proxy.pid }, async () => {
    const readings = await Promise.all(Array.from({ length: streams }, () => follow(proxy.url)));
    return { arrivals: readings.flatMap(({ arrivals }) => arrivals), fromAppend: null };
  });
}

async function measured(
  streams: number,
  processes: Parameters<typeof readCpu>[0],
  work: () => Promise<{ arrivals: Arrival[]; fromAppend: Latency | null }>,
): Promise<StreamFigures> {
  const before = readCpu(processes);
  const startedAt = performance.now();
  const { arrivals, fromAppend } = await work();
  const elapsed = performance.now() - startedAt;
  const cpu = cpuBetween(before, readCpu(processes));
  return {
    streams,
    deltas: arrivals.length,
    whole: latencyOf(arrivals.map(({ sentAt, arrivedAt }) => arrivedAt - sentAt)),
    fromAppend,
    processes: Object.entries(processes).map(([role, pid]) => ({
      name: role === 'backend' ? 'gateway' : role,
      cpu: (cpu[role as keyof typeof cpu] ?? 0) / elapsed,
      bytes: residentBytes(pid),
    })),
  };
}

/** Database and reader share a clock: they are on one machine. */
async function sinceAppend(
  databaseUrl: string,
  turns: string[],
  arrivals: Arrival[][],
): Promise<number[]> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const waits: number[] = [];
    for (const [index, id] of turns.entries()) {
      const { rows } = await client.query<{ seq: string; at: string }>(
        'SELECT seq, extract(epoch FROM created_at) * 1000 AS at FROM turnkeeper.events WHERE turn_id = $1',
        [id],
      );
      const appendedAt = new Map(rows.map(({ seq, at }) => [Number(seq), Number(at)]));
      for (const { number, arrivedAt } of arrivals[index] ?? []) {
        waits.push(arrivedAt - (appendedAt.get(number ?? 0) ?? NaN));
      }
    }
    return waits;
  } finally {
    await client.end();
  }
}

function latencyOf(samples: number[]): Latency {
  return { p50: quantile(samples, 0.5), p95: quantile(samples, 0.95) };
}
