import type { ActionKind, ActionsRead, ActionState } from '../actions.ts';
import type { JsonObject } from '../json.ts';
import type { Turn } from './turns.ts';

/** A tool call that waits, or waited, for the caller. */
export interface Action {
  callId: string;
  name: string;
  kind: ActionKind;
  state: ActionState;
  /** As the model gave them. */
  arguments: JsonObject;
  /** What the tool is given instead; null unless whoever approved it has changed them. */
  editedArguments: JsonObject | null;
  /** Why it was denied, where that was said. */
  reason: string | null;
  /** A turn that still waits by then ends as expired. */
  deadline: Date;
  requestedAt: Date;
  decidedAt: Date | null;
}

interface Decided {
  callId: string;
  /** Fingerprint of what was submitted. */
  hash: string;
}

/** `output` is what the model is told. */
export type Decision = Decided &
  (
    | { state: 'answered'; output: string }
    | { state: 'approved'; editedArguments: JsonObject | null }
    | { state: 'denied'; reason: string | null; compensate: boolean; output: string }
  );

export interface Submission {
  decisions: Decision[];
  /** Other calls may go on waiting. */
  partial: boolean;
}

export interface ActionStore {
  /** All actions of a turn, in the order of its calls. */
  list(tenant: string, turnId: string): Promise<Action[]>;
  /** Of those calls. Rejects with `StepRefused`. */
  read(tenant: string, turnId: string, callIds: string[]): Promise<ActionsRead>;
  /** JSON Schema of the arguments, as the tool was offered; null for a call that is no action of the turn. */
  parametersOf(tenant: string, turnId: string, callId: string): Promise<JsonObject | null>;
  /**
   * Stores all decisions, with what the model is told of them, or none. The same ones again change nothing.
   * @throws TurnkeeperError `turn_not_found`, `turn_not_waiting`, `action_not_found`, `actions_missing`,
   * `submission_conflict`, `invalid_request`
   */
  submit(tenant: string, turnId: string, submission: Submission): Promise<Turn>;
}
