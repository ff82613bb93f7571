import { SUMMARY_HEADING } from '../../../src/conversation/summary.ts';
import type { ScriptStep } from '../../../src/dev/offline-model/script.ts';
import type { HeldTurn } from './faults.ts';
import { TOOLS } from './tools.ts';

const ANSWER = 'All of it is done, as you have asked.';
const SUMMARY = 'They spoke of beavers.';
/** However often a request is repeated, it is answered as before. */
const ALWAYS = 1_000_000;

/** What the user says in turn `id`; the model's script knows the turn by it. */
export function questionOf(id: string): string {
  return `Question ${id}.`;
}

/** The knowledge base, and what every question finds in it. */
export const BASE = 'handbook';
export const DOCUMENT = 'To every question there is an answer.';

/** What was said before each turn is too much for so many tokens, so that a summary of it is due. */
export const CONTEXT_TOKENS = 2_000;
export const SAID_BEFORE = 'beaver '.repeat(CONTEXT_TOKENS);

/** Of all summaries; it comes before what turns say. */
export const SUMMARIES: ScriptStep = {
  ...{ kind: 'answer', text: SUMMARY, when: { inputContains: SUMMARY_HEADING }, times: ALWAYS },
};

/** All tools at once, then an answer or a refusal. The step that asks for most of what was said stands first. */
export function scriptOf({ id, fails }: HeldTurn): ScriptStep[] {
  const calls = TOOLS.map(({ name }) => {
    return { name, arguments: { turn: id, mark: markOf(id) }, callId: `call_${name}` };
  });
  const called = { when: { inputContains: markOf(id) }, times: ALWAYS };
  return [
    fails ? { kind: 'error', status: 400, ...called } : { kind: 'answer', text: ANSWER, ...called },
    { kind: 'calls', calls, when: { inputContains: questionOf(id) }, times: ALWAYS },
  ];
}

/** Not part of the question, so that it tells the calls from it. */
function markOf(id: string): string {
  return `mark-of-${id}`;
}
