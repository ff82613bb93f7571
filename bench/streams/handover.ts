import { setTimeout as delay } from 'node:timers/promises';
import { median } from '../measure/statistics.ts';
import { follow, type Arrival } from './follow.ts';
import { startService, startTurn } from './service.ts';

export interface Handover {
  generation: string;
  streams: number;
  /** The longest time without a delta that a reader saw, milliseconds: the median of them, and the worst. */
  gapMs: { median: number; worst: number };
  rewound: number;
}

const STREAMS = 10;
const BEFORE_MS = 3_000;

/** The first worker gets SIGTERM in mid-answer, while a second one is there. */
export async function measureHandover(modelUrl: string, generation: string): Promise<Handover> {
  const service = await startService(modelUrl, generation);
  try {
    const turns = await Promise.all(Array.from({ length: STREAMS }, () => startTurn(service)));
    const reading = turns.map((id) => follow(`${service.url}/api/turns/${id}/events`));
    await service.startWorker();
    await delay(BEFORE_MS);
    await service.endFirstWorker();
    const readings = await Promise.all(reading);
    const gaps = readings.map(({ arrivals }) => longestGap(arrivals));
    return {
      generation,
      streams: STREAMS,
      gapMs: { median: median(gaps), worst: Math.max(...gaps) },
      rewound: readings.filter(({ rewinds }) => rewinds > 0).length,
    };
  } finally {
    await service.stop();
  }
}

function longestGap(arrivals: Arrival[]): number {
  return arrivals.reduce((longest, { arrivedAt }, index) => {
    return Math.max(longest, arrivedAt - (arrivals[index - 1]?.arrivedAt ?? arrivedAt));
  }, 0);
}

/** 50 a second for ten seconds. */
export const DELTAS_OF_AN_ANSWER = 500;
