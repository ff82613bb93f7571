import type { Json } from '../json.ts';
import type { EffectRef } from '../turn.ts';
import type { StepRef } from './step-ref.ts';
import type { BegunStep, StepFailure } from './steps.ts';
import type { Turn } from './turns.ts';

export interface EffectToUndo {
  conversationId: string;
  endUser: string | null;
  toolName: string;
  /** The arguments that the tool was run with, JSON text. */
  arguments: string;
  /** What the tool returned; null where that was not usable, or nobody knows. */
  output: Json;
  /** Whether it is known that it took effect. Else not even its arguments may have been checked. */
  known: boolean;
}

/** `not_undone`: that was tried, or was to be. */
export type EffectOutcome = 'done' | 'unknown' | 'undone' | 'not_undone' | 'undoing';

/** What is known of a tool call that took effect, or may have. */
export interface Effect {
  callId: string;
  tool: string;
  /** As the tool was given them, JSON text. */
  arguments: string;
  outcome: EffectOutcome;
  /** Whether it is known that it took effect, whatever became of that. */
  known: boolean;
}

export interface BeginCompensation extends StepRef {
  after: string[];
  callId: string;
  /** Whoever takes the step over after so many attempts does it to give it up, and counts as none. */
  maxAttempts?: number;
}

/**
 * Steps of a compensation are begun and settled after their turn was sealed, fenced like any other. Methods reject with
 * `StepRefused`; with `store_rolled_back` when the store knows of no such compensation or effect.
 */
export interface CompensationStore {
  /**
   * Asks for the effects of a turn to be undone. Of a turn that has ended, however that was, the compensation is requested
   * where something can be undone, and is to be started by whoever reads that; of any other turn it is as it is sealed,
   * whatever its end. Repeating it changes nothing. Rejects with `turn_not_found`.
   */
  request(tenant: string, turnId: string): Promise<Turn>;
  /** Calls of a sealed turn that took effect, or may have, in the order of their steps. Rejects with `turn_not_found`. */
  outcomes(tenant: string, turnId: string): Promise<Effect[]>;
  /** Effects whose tool can undo them and whose compensation has not been settled, the last one first. */
  effects(tenant: string, turnId: string): Promise<EffectRef[]>;
  begin(step: BeginCompensation): Promise<BegunStep>;
  loadEffect(ref: StepRef, callId: string): Promise<EffectToUndo>;
  /** With a failure: it was not undone, as far as anybody knows. */
  settle(ref: StepRef, failure: StepFailure | null): Promise<void>;
  /** Refused while an effect is not settled. */
  close(tenant: string, turnId: string): Promise<void>;
  /** Closes it over its effects that are not settled; each says why. Answers how many those are. */
  abandon(tenant: string, turnId: string, failure: StepFailure): Promise<number>;
}
