import { randomNumbers, shuffle } from '../../support/random.ts';
import type { Point } from '../../support/points.ts';

/** What is taken away. */
export const TARGETS = ['worker', 'gateway', 'database', 'temporal'] as const;
export type Target = (typeof TARGETS)[number];

/** `kill` is SIGKILL, and a new process; `pause` SIGSTOP for longer than every time limit, then SIGCONT. */
export const WAYS = ['kill', 'pause'] as const;
/** `cut` breaks connections. */
export type Way = (typeof WAYS)[number] | 'cut';

const waysOf = (target: Target): Way[] => (target === 'database' ? [...WAYS, 'cut'] : [...WAYS]);

/** Each part in each way. */
export const KINDS = TARGETS.flatMap((target) => waysOf(target).map((way) => ({ target, way })));

/** Every boundary that such a turn, its compensation and the summary of what was said before it have. */
export const BOUNDARIES = [
  'retrieve',
  'retrieve: settled',
  'respond: before the create',
  'respond: after the create',
  'respond: before the first delta',
  'respond: in mid-stream',
  'respond: after the last delta',
  'respond: settled',
  'runTool: before',
  'runTool: during',
  'runTool: after',
  'runTool: settled',
  'readActions: before',
  'readActions: read',
  'closeTurn: before',
  'closeTurn: sealed',
  'compensate reserve: before',
  'compensate reserve: during',
  'compensate reserve: after',
  'compensate reserve: settled',
  'compensate pay: before',
  'compensate pay: during',
  'compensate pay: after',
  'compensate pay: settled',
  'compensation: before closing',
  'compensation: closed',
  'summarize: before',
  'summarize: after the call',
  'summarize: stored',
] as const satisfies Point[];
export type Boundary = (typeof BOUNDARIES)[number];

/** A turn that stays at its boundary while the fault strikes. */
export interface HeldTurn {
  /** As it is called in the model's script. */
  id: string;
  boundary: Boundary;
  /** Whether the model refuses its last call, so that it fails and is undone. */
  fails: boolean;
}

/** One fault, while a turn stays at each of these boundaries: each of them is one point. */
export interface Fault {
  target: Target;
  way: Way;
  turns: HeldTurn[];
}

/** As a report calls it. */
export function nameOf({ target, way }: Pick<Fault, 'target' | 'way'>): string {
  if (way === 'cut') return `cut connections to the ${target}`;
  return target === 'temporal' ? `${way} Temporal` : `${way} the ${target}`;
}

/** Times that each way strikes each target; every time at all boundaries. */
const FULL_ROUNDS = 2;
/** Of the database's faults in a sample. */
const CUT_SHARE = 1 / 3;
const SAMPLED_TURNS = Math.ceil(BOUNDARIES.length / TARGETS.length);

/** Full: every boundary under every fault. Else each target once, killed and paused in turn, at some boundaries each. */
export function planOf({ full, seed }: { full: boolean; seed: number }): Fault[] {
  const random = randomNumbers(seed);
  if (!full) return sampleOf(random);
  const rounds = Array.from({ length: FULL_ROUNDS }, () => KINDS).flat();
  return shuffle(rounds, random).map((kind, fault) => {
    return { ...kind, turns: turnsAt([...BOUNDARIES], fault, random) };
  });
}

/** Boundaries go round, so that four faults come to all of them. */
function sampleOf(random: () => number): Fault[] {
  const boundaries = shuffle([...BOUNDARIES], random);
  const first = Math.floor(random() * WAYS.length);
  return shuffle([...TARGETS], random).map((target, fault) => {
    const at = boundaries.slice(fault * SAMPLED_TURNS, (fault + 1) * SAMPLED_TURNS);
    const inTurn = WAYS[(first + fault) % WAYS.length] ?? 'kill';
    const isCut = target === 'database' && random() < CUT_SHARE;
    return { target, way: isCut ? 'cut' : inTurn, turns: turnsAt(at, fault, random) };
  });
}

function turnsAt(boundaries: Boundary[], fault: number, random: () => number): HeldTurn[] {
  return boundaries.map((boundary, turn) => ({
    id: `f${fault}t${turn}x`,
    boundary,
    fails: mustFail(boundary) || (!mustAnswer(boundary) && random() < 0.5),
  }));
}

function mustFail(boundary: Boundary): boolean {
  return boundary.startsWith('compensat');
}

/** It has deltas only when it answers. */
function mustAnswer(boundary: Boundary): boolean {
  return boundary === 'respond: before the first delta' || boundary === 'respond: in mid-stream';
}
