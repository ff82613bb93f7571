import type { ScriptStep } from '../../../src/dev/offline-model/script.ts';

const DELTAS = 200;
const DELTA_MS = 10;
const TOOL_ROUNDS = 2;
/** Requests of one turn, when nothing goes wrong. */
export const CREATES_PER_TURN = TOOL_ROUNDS + 1;

/** What the user says in turn `id`; the model's script knows the turn by it. */
export function questionOf(id: string): string {
  return `Question ${id}.`;
}

/** What the model answers in the end. */
export function answerOf(id: string): string {
  return Array.from({ length: DELTAS }, (_, index) => `${id}-${index}`).join(' ');
}

/**
 * Two rounds with a tool, then an answer of 200 deltas. What comes next follows from the input alone, so that a request
 * that is sent again is answered as before: the step that asks for most of what was said stands first.
 */
export function scriptOf(id: string): ScriptStep[] {
  const rounds = Array.from({ length: TOOL_ROUNDS }, (_, index): ScriptStep => {
    const call = { name: 'look_up', arguments: { mark: markOf(id, index + 1) } };
    const seen = index === 0 ? questionOf(id) : markOf(id, index);
    return { kind: 'calls', calls: [call], when: { inputContains: seen } };
  });
  const answer: ScriptStep = {
    kind: 'answer',
    text: answerOf(id),
    chunks: DELTAS,
    delayMs: DELTA_MS,
    when: { inputContains: markOf(id, TOOL_ROUNDS) },
  };
  return [answer, ...rounds.reverse()];
}

/** Which turn a request is of, and which round of it, from 0 on: told by what has been said. */
export function placeOf(input: string): { turn: string; round: number } {
  const marks = [...input.matchAll(/mark-(\d+)-of-(\w+)/g)];
  const rounds = marks.map(([, round]) => Number(round));
  const turn = marks[0]?.[2] ?? /Question (\w+)\./.exec(input)?.[1] ?? '';
  return { turn, round: Math.max(0, ...rounds) };
}

function markOf(id: string, round: number): string {
  return `mark-${round}-of-${id}`;
}
