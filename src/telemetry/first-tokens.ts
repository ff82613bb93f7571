import type { NewEvent, StepRef, TurnContext } from '../contracts/store.ts';
import type { Metrics } from './metrics.ts';

/** Takes the time from accept to a turn's first text. */
export interface FirstTokens {
  /** A model is about to be asked; a turn that has shown text of another answer is left alone. */
  expect(ref: StepRef, context: TurnContext): void;
  /** Another attempt has begun to show the answer. */
  begunBefore(ref: StepRef): void;
  /** An event is shown. */
  shown(ref: StepRef, event: NewEvent): void;
}

export function firstTokens({ timeToFirstToken }: Metrics): FirstTokens {
  /** When turns were accepted, by this process's clock. */
  const acceptedAt = new WeakMap<StepRef, number>();
  return {
    expect(ref, context) {
      if (!hasAnswered(context, ref)) acceptedAt.set(ref, performance.now() - context.ageMs);
    },
    begunBefore: (ref) => void acceptedAt.delete(ref),
    shown(ref, { type }) {
      if (type !== 'response.output_text.delta') return;
      const accepted = acceptedAt.get(ref);
      if (accepted === undefined) return;
      acceptedAt.delete(ref);
      timeToFirstToken.observe((performance.now() - accepted) / 1_000);
    },
  };
}

function hasAnswered({ items }: TurnContext, { turnId }: StepRef): boolean {
  return items.some((entry) => entry.turnId === turnId && entry.item['role'] === 'assistant');
}
