import type { Create } from './creates.ts';
import type { Fault } from './faults.ts';
import { CREATES_PER_TURN } from './script.ts';
import type { Point } from './turn.ts';

/** What the model has got of one turn, next to what the store says of its calls. */
export interface Tally {
  creates: number;
  /** One a model call, and one more for each response that was lost. */
  expected: number;
  completed: number;
  /** Responses that the store names, and that were made again, by their steps. */
  lost: string[];
  /** Creates whose response the store does not name, by their rounds. */
  nameless: number[];
  /** Responses that the store names, and that the model has never made. */
  invented: number;
}

export function tallyOf({ id, generation, calls }: Point, all: Create[]): Tally {
  const creates = all.filter(({ turn }) => turn === id);
  const made = new Set(creates.map(({ responseId }) => responseId));
  const named = new Set(calls.map(({ responseId }) => responseId));
  const completed = calls.filter(({ state }) => state === 'completed');
  const lost = calls.filter(({ state, responseId }) => state !== 'completed' && responseId);
  const nameless = creates.filter(({ responseId }) => !named.has(responseId));
  // In the foreground nobody needs the id of a response that broke off.
  const repeated = generation === 'foreground' ? nameless.length : 0;
  return {
    creates: creates.length,
    expected: CREATES_PER_TURN + lost.length + repeated,
    completed: completed.length,
    lost: lost.map(({ step }) => step),
    nameless: nameless.map(({ round }) => round),
    invented: [...named].filter((responseId) => responseId && !made.has(responseId)).length,
  };
}

/** In the background: what got to the model while its id did not get into the store. */
export function orphansOf({ generation }: Point, { nameless }: Tally): number {
  return generation === 'background' ? nameless.length : 0;
}

/** What this fault must not have come to; empty when the turn's promises were kept. */
export function problemsOf(point: Point, tally: Tally, fault: Fault): string[] {
  const { completed, lost, nameless, invented, creates, expected } = tally;
  const found: [boolean, string][] = [
    [completed !== CREATES_PER_TURN, `${completed} calls completed`],
    [invented > 0, `${invented} responses that the model has not made`],
    [creates < expected, `${creates} creates, expected ${expected}`],
    [point.rewinds > lost.length, `${point.rewinds} rewinds, ${lost.length} responses lost`],
    [lost.length > 0 && !mayLose(fault, point), `${lost.length} responses made again`],
    [nameless.length > 0 && !mayLeaveNameless(fault), `${nameless.length} nameless creates`],
    [hasTwice(lost), 'more than two creates in a step: lost twice'],
    [hasTwice(nameless), 'more than two creates in a step: nameless twice'],
  ];
  const what = `${point.id}, ${point.generation}, ${fault.way} the ${fault.target} at event ${fault.atEvent}`;
  return found.flatMap(([broken, problem]) => (broken ? [`${what}: ${problem}`] : []));
}

/** A killed model takes its responses with it; in the foreground each broken connection does. */
function mayLose({ target, way }: Fault, { generation }: Point): boolean {
  if (generation === 'background') return target === 'model' && way === 'kill';
  return target === 'model' || target === 'worker';
}

/** Whoever sends the create, or whoever gets it, is away before its id is stored. */
function mayLeaveNameless({ target }: Fault): boolean {
  return target === 'model' || target === 'worker';
}

function hasTwice(values: unknown[]): boolean {
  return new Set(values).size < values.length;
}
