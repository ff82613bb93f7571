import { randomNumbers, shuffle } from '../../support/random.ts';

/** What is taken away. */
export const TARGETS = ['worker', 'gateway', 'model', 'database'] as const;
export type Target = (typeof TARGETS)[number];

/** `kill` is SIGKILL, and a new process; `pause` SIGSTOP for 12 s, then SIGCONT; `cut` breaks connections. */
export const WAYS = ['kill', 'pause', 'cut'] as const;
export type Way = (typeof WAYS)[number];

/** One fault, while several turns are under way: each of them is one point. */
export interface Fault {
  target: Target;
  way: Way;
  /** Strikes when the reader of the first turn has got the event of this number, or the end of its answer. */
  atEvent: number;
}

export interface Plan {
  faults: Fault[];
  turnsPerFault: number;
}

/** Those of two tool rounds, and 200 deltas in 2 s: what comes within 50 ms is one event. */
export const EVENTS = 75;
const TURNS_PER_FAULT = 5;
const SAMPLE = { kill: 20, pause: 2, cut: 2 };
/** A kill at every event. */
const FULL = { kill: EVENTS, pause: 12, cut: 16 };

/** Targets in turn from a random one on, strikes spread over a turn's events with a random offset in each part. */
export function planOf({ full, seed }: { full: boolean; seed: number }): Plan {
  const random = randomNumbers(seed);
  const counts = full ? FULL : SAMPLE;
  const first = Math.floor(random() * TARGETS.length);
  const faults = WAYS.flatMap((way) =>
    Array.from({ length: counts[way] }, (_, index): Fault => {
      const targets = TARGETS.filter((target) => isPossible(target, way));
      const part = EVENTS / counts[way];
      return {
        target: targets[(first + index) % targets.length] ?? 'worker',
        way,
        atEvent: Math.floor((index + random()) * part) + 1,
      };
    }),
  );
  return { faults: shuffle(faults, random), turnsPerFault: TURNS_PER_FAULT };
}

/** Workers are connected to others; nobody is connected to them. */
function isPossible(target: Target, way: Way): boolean {
  return !(target === 'worker' && way === 'cut');
}
