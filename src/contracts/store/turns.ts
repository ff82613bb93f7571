import type { Item } from '../json.ts';
import type { Passage } from '../retrieval.ts';
import type {
  CompensateInput,
  Ending,
  FinalStatus,
  SummarizeInput,
  ToolOutcome,
  ToolPolicy,
  TurnInput,
} from '../turn.ts';
import type { Page, PageRequest, RequestKey } from './pages.ts';
import type { StepRef } from './step-ref.ts';
import type { Repairs } from './repairs.ts';
import type { CallUsage } from './steps.ts';

export type TurnState = 'queued' | 'accepted' | 'started' | 'sealed';
export type TurnStatus = 'queued' | 'in_progress' | 'requires_action' | FinalStatus;

export interface Turn {
  id: string;
  conversationId: string;
  assistantId: string;
  assistantVersion: number;
  state: TurnState;
  status: TurnStatus;
  /** Why it ended so, unless completed. */
  reason: string | null;
  /** The same for people; null unless failed. */
  message: string | null;
  /** While it is queued, the end of its wait; set anew when it gets the conversation. */
  deadline: Date;
  /** When it got the conversation; while it is queued, when it came. */
  acceptedAt: Date;
  startedAt: Date | null;
  sealedAt: Date | null;
  /**
   * `requested` before its end: somebody asked for it, and it is looked at what there is to undo once the turn ends. After
   * it: that is under way. `closed`: each effect that was to be undone has its step, which says how that went. Null: nobody
   * asked for it, or nothing can be undone.
   */
  compensation: 'requested' | 'closed' | null;
  /** The turn that this one ended, or is to end. Null too when that one came to its own end first. */
  interrupts: string | null;
  /** The turn that this one was made from. */
  origin: TurnOrigin | null;
}

export interface TurnOrigin {
  kind: 'retry' | 'regenerate' | 'edit';
  turnId: string;
}

/** What becomes of a turn when another one holds the conversation; without it, it is not accepted. */
export type WhenBusy =
  | { policy: 'enqueue'; maxQueued: number }
  /** The turn that holds the conversation is to be cancelled; turns that wait are sealed as `superseded`. */
  | { policy: 'interrupt' };

export interface AcceptTurn {
  conversationId: string;
  assistantId: string;
  assistantVersion?: number;
  items: Item[];
  /** The turn is cancelled once nobody has read it for so long; without it, it goes on. */
  cancelAfterMs?: number;
  whenBusy?: WhenBusy;
  key?: RequestKey;
}

/** A turn that takes the place of the last one of its conversation. */
export interface TryAgain {
  turnId: string;
  /** `retry` goes on from what an unsuccessful turn came to, `regenerate` from its input. */
  kind: 'retry' | 'regenerate';
  /** What the turn did is to be undone. */
  compensate?: boolean;
  key?: RequestKey;
}

/** A turn with another input, in a conversation of its own that begins with all that came before the first one. */
export interface EditTurn {
  turnId: string;
  items: Item[];
  key?: RequestKey;
}

export interface Started {
  kind: 'accepted' | 'repeated';
  turn: Turn;
  input: TurnInput;
}

export type Accepted = Started | Refused;

/** Nothing was written: another turn holds the conversation. */
export interface Refused {
  kind: 'busy';
  /** It might have waited, but too many do. */
  full: boolean;
  active: Turn;
  activeInput: TurnInput;
}

export interface Step {
  key: string;
  kind: StepKind;
  status: StepStatus;
  /** Attempts that began it. */
  attempts: number;
  model: string | null;
  tool: {
    callId: string;
    name: string;
    policy: ToolPolicy | null;
    outcome: ToolOutcome | null;
  } | null;
  error: { reason: string; message: string } | null;
  /** Of a step that repaired what the model was shown. */
  repairs: Repairs | null;
  startedAt: Date;
  settledAt: Date | null;
}

export type StepKind = 'retrieve' | 'respond' | 'tool' | 'compensate' | 'repair';
/** `failed`: settled without what it was for. `closed`: the turn, or its compensation, was ended over it. */
export type StepStatus = 'open' | 'completed' | 'failed' | 'closed';

export interface ModelCall {
  step: string;
  model: string;
  /** `intent`: sent, or about to be. `abandoned`: nobody waits for it any more; its tokens are an estimate. */
  state: 'intent' | 'completed' | 'failed' | 'abandoned';
  estimated: boolean;
  background: boolean;
  /** Null as long as the call is under way, and for one that is an orphan: sent, but its id was never stored. */
  responseId: string | null;
  requestId: string | null;
  inputTokens: number;
  cachedTokens: number;
  outputTokens: number;
  reasoningTokens: number;
}

export interface Usage {
  inputTokens: number;
  cachedTokens: number;
  outputTokens: number;
  reasoningTokens: number;
  totalTokens: number;
  /** Dollars, by OpenAI's list prices; null when a model that was called is not among them. */
  costUsd: number | null;
  calls: ModelCall[];
}

export type Source = Pick<
  Passage,
  'chunkId' | 'documentId' | 'documentName' | 'start' | 'end' | 'text' | 'score'
>;

export interface InterruptedTool {
  step: string;
  name: string;
  policy: ToolPolicy;
}

export interface Sealed {
  status: FinalStatus;
  reason: string | null;
  /** False when somebody else had sealed it before. */
  won: boolean;
  /** From accept to the end, by the database's clock. */
  durationMs: number;
  /** The calls that this gave up. */
  abandonedCalls: AbandonedCall[];
  /** Tool calls that were under way: nobody knows whether they took effect. Told again when it was sealed before. */
  interruptedTools: InterruptedTool[];
  /** The queued turn that got the lock, to be started by whoever reads this. */
  next: TurnInput | null;
  /** Effects to be undone, to be started by whoever reads this. */
  compensate: CompensateInput | null;
  /** The conversation outgrew what a model is shown: its summary is to be started by whoever reads this. */
  summarize: SummarizeInput | null;
}

export interface AbandonedCall {
  callId: string;
  model: string;
  background: boolean;
  responseId: string | null;
}

/** A background response that nobody waits for any more. */
export interface StoppableCall {
  tenant: string;
  turnId: string;
  callId: string;
  responseId: string;
  /** The model that was asked for. */
  model: string;
}

/** It may be running at the provider, and nobody can find it: a worker died between the create and storing its id. */
export function isOrphan({
  background,
  responseId,
}: Pick<ModelCall, 'background' | 'responseId'>): boolean {
  return background && responseId === null;
}

export interface TurnStore {
  accept(tenant: string, request: AcceptTurn): Promise<Accepted>;
  /** Rejects with `turn_not_found`, `turn_not_retryable`, `compensation_running`, `idempotency_conflict`. */
  again(tenant: string, request: TryAgain): Promise<Accepted>;
  /** Rejects with `turn_not_found`, `turn_not_retryable`, `idempotency_conflict`. */
  edit(tenant: string, request: EditTurn): Promise<Started>;
  /** `accepted` → `started`; a turn in any other state is left alone. */
  markStarted(tenant: string, turnId: string): Promise<void>;
  get(tenant: string, turnId: string): Promise<Turn>;
  list(tenant: string, conversationId: string, page: PageRequest): Promise<Page<Turn>>;
  steps(tenant: string, turnId: string): Promise<Step[]>;
  usage(tenant: string, turnId: string): Promise<Usage>;
  sources(tenant: string, turnId: string): Promise<Source[]>;
  /** What an abandoned call has really cost, as the provider said when it was told to stop. */
  settleAbandoned(tenant: string, turnId: string, callId: string, call: CallUsage): Promise<void>;
  /** The provider was told to stop an abandoned call, or does not know it any more; its cost stays an estimate. */
  markStopped(tenant: string, turnId: string, callId: string): Promise<void>;
  /**
   * Notes the id of a response that an attempt learnt too late to store it, for it to be stopped. False, and nothing has
   * changed, when the id was stored before: another attempt may be going on with it.
   */
  identifyOrphan(ref: StepRef, callId: string, responseId: string): Promise<boolean>;
  /** The only way a turn ends. `expired` is refused (null) before the deadline. */
  seal(tenant: string, turnId: string, ending: Ending): Promise<Sealed | null>;
}
