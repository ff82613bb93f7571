import type { ActionKind, ActionsRead } from './actions.ts';

/** Input of the `turn` workflow: ids and limits, never a transcript. */
export interface TurnInput {
  tenant: string;
  /** Also the workflow id. */
  turnId: string;
  conversationId: string;
  assistant: { id: string; version: number; name: string };
  /** Epoch milliseconds, set when the turn was accepted. */
  deadlineMs: number;
  /** Whether the assistant has knowledge to search. */
  retrieve: boolean;
  /** The model, then the fallback model where there is one. */
  models: string[];
  fallbackAnswer: boolean;
  maxRounds: number;
}

export type FinalStatus = 'completed' | 'incomplete' | 'failed' | 'cancelled' | 'expired';

/** How a turn is asked to end. The store decides: the first to seal wins. */
export type Ending =
  | { status: 'completed' }
  | { status: 'incomplete'; reason: string }
  | { status: 'failed'; reason: string; message: string }
  | { status: 'cancelled' }
  /** Refused before the deadline; a turn that waits for its caller, whose own time is up, is ended by its workflow alone. */
  | { status: 'expired'; whileWaiting?: boolean };

/** How a turn ended, as everybody reads it. */
export interface TurnOutcome {
  status: FinalStatus;
  /** Why, unless completed: `max_rounds`, `content_filter`, `rate_limited`, `workflow_lost`, … */
  reason: string | null;
}

/** One step of a turn, as an activity gets it. */
export interface StepInput {
  tenant: string;
  turnId: string;
  /** Step key, fixed by the workflow: `retrieve`, `respond:2`, `respond:2:fallback`, `tool:<call_id>`. */
  step: string;
  /** Steps that must be settled in the store before this one may begin. */
  after: string[];
}

export interface RespondInput extends StepInput {
  /** Null to give the assistant's fallback answer instead of asking a model. */
  model: string | null;
  /** The failure of the step this one stands in for. */
  follows: { step: string; reason: string } | null;
  /** Calls of this reply are not made any more: it is the last round. */
  last?: true;
}

export type ToolPolicy = 'idempotent' | 'at-most-once' | 'reconcilable';

export interface ToolCallRef {
  callId: string;
  name: string;
  /** Null when no such tool was offered, or the caller runs it. */
  policy: ToolPolicy | null;
  timeoutMs: number;
  /** Absent for a call that is made at once. */
  waits?: ActionKind;
}

export type Reply =
  | { kind: 'answer' }
  | { kind: 'calls'; calls: ToolCallRef[] }
  | { kind: 'incomplete'; reason: string };

export interface RunToolInput extends StepInput {
  call: ToolCallRef;
}

export interface ReadActionsInput {
  tenant: string;
  turnId: string;
  callIds: string[];
}

export interface CloseTurnInput {
  tenant: string;
  turnId: string;
  ending: Ending;
}

/** The activities of a turn; the worker registers them, the workflow calls them by these names. */
export interface TurnActivities {
  retrieve(input: StepInput): Promise<{ passages: number }>;
  respond(input: RespondInput): Promise<Reply>;
  runTool(input: RunToolInput): Promise<{ outcome: ToolOutcome }>;
  readActions(input: ReadActionsInput): Promise<ActionsRead>;
  closeTurn(input: CloseTurnInput): Promise<TurnOutcome>;
}

/** `failed` was told to the model; `unknown` means it started and nobody knows how it went. */
export type ToolOutcome = 'succeeded' | 'failed' | 'unknown';

/** Undoing what a turn did; workflow id `compensate:<turnId>`. */
export interface CompensateInput {
  tenant: string;
  turnId: string;
}

/** One effect to undo, as the workflow knows it. */
export interface EffectRef {
  callId: string;
  name: string;
  timeoutMs: number;
}

export interface CompensateEffectInput extends StepInput {
  effect: EffectRef;
}

/** The activities that undo the effects of a turn. */
export interface CompensateActivities {
  /** Effects still to be undone, the last one first. */
  listEffects(input: CompensateInput): Promise<EffectRef[]>;
  compensateEffect(input: CompensateEffectInput): Promise<void>;
  /** Marks an effect as not undone, once its attempts are over. */
  failCompensation(
    input: CompensateEffectInput & { reason: string; message: string },
  ): Promise<void>;
  closeCompensation(input: CompensateInput): Promise<void>;
}

/** Summarizing what a conversation outgrew; workflow id `summary:<conversationId>`. */
export interface SummarizeInput {
  tenant: string;
  conversationId: string;
}

export interface SummarizeActivities {
  /** Extends the conversation's summary; `more` when there is more to summarize than one model call takes. */
  summarize(input: SummarizeInput): Promise<{ more: boolean }>;
}

export interface IngestInput {
  tenant: string;
  documentId: string;
}

export interface IngestActivities {
  indexDocument(input: IngestInput): Promise<{ chunks: number }>;
  failDocument(input: IngestInput & { reason: string; message: string }): Promise<void>;
}
