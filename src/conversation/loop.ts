import type { Ending, Reply, TurnInput } from '../contracts/turn.ts';

/** One try at a model's reply; the next one is made when this one failed for good. */
export interface Candidate {
  step: string;
  /** Null for the assistant's fallback answer. */
  model: string | null;
}

/** The model, then the fallback model, then the fallback answer: each a step of its own. */
export function candidatesOf(input: TurnInput, round: number): Candidate[] {
  const step = `respond:${round}`;
  const models = input.models.map((model, index) => ({
    step: index === 0 ? step : `${step}:fallback`,
    model,
  }));
  return input.fallbackAnswer ? [...models, { step: `${step}:answer`, model: null }] : models;
}

export function toolStep(callId: string): string {
  return `tool:${callId}`;
}

export function compensateStep(callId: string): string {
  return `compensate:${callId}`;
}

export function endingOf(reply: Exclude<Reply, { kind: 'calls' }>): Ending {
  return reply.kind === 'answer'
    ? { status: 'completed' }
    : { status: 'incomplete', reason: reply.reason };
}

export type StepMark = 'running' | 'waiting' | 'done' | 'failed';

const MARKS: Record<StepMark, string> = { running: '▶', waiting: '⏸', done: '✔', failed: '✖' };

/** What operators see of a turn, step by step, as Markdown. */
export function renderDetails(
  steps: ReadonlyMap<string, { label: string; mark: StepMark }>,
): string {
  return [...steps]
    .map(([step, { label, mark }]) => `- ${MARKS[mark]} \`${plainStep(step)}\` ${label}`)
    .join('\n');
}

/** Call ids are the model's own words too. */
function plainStep(step: string): string {
  return step.replace(/[^\w.:-]/g, '?').slice(0, 80);
}

/** Names that a model made up are shown without what Markdown would take for its own. */
export function plainLabel(text: string): string {
  return text.replace(/[^\w ./-]/g, '?').slice(0, 80);
}
