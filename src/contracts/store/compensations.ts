import type { Json } from '../json.ts';
import type { EffectRef } from '../turn.ts';
import type { StepRef } from './step-ref.ts';
import type { BegunStep, StepFailure } from './steps.ts';

export interface EffectToUndo {
  conversationId: string;
  endUser: string | null;
  toolName: string;
  /** The arguments as the model gave them, JSON text. */
  arguments: string;
  /** What the tool returned; null where that was not usable. */
  output: Json;
}

/**
 * Steps of a compensation are begun and settled after their turn was sealed, fenced like any other. Methods reject with
 * `StepRefused`; with `store_rolled_back` when the store knows of no such compensation or effect.
 */
export interface CompensationStore {
  /** Effects whose tool can undo them and whose compensation has not been settled, the last one first. */
  effects(tenant: string, turnId: string): Promise<EffectRef[]>;
  begin(step: StepRef & { after: string[]; callId: string }): Promise<BegunStep>;
  loadEffect(ref: StepRef, callId: string): Promise<EffectToUndo>;
  /** With a failure: it was not undone, as far as anybody knows. */
  settle(ref: StepRef, failure: StepFailure | null): Promise<void>;
  /** Refused while an effect is not settled. */
  close(tenant: string, turnId: string): Promise<void>;
  /** Closes it over its effects that are not settled; each says why. Answers how many those are. */
  abandon(tenant: string, turnId: string, failure: StepFailure): Promise<number>;
}
