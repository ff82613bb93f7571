import type { NewAction } from '../actions.ts';
import type { AssistantDefinition, ClientTool } from '../assistant.ts';
import type { Item, Json, JsonObject } from '../json.ts';
import type { Passage } from '../retrieval.ts';
import type { Reply, ToolOutcome, ToolPolicy } from '../turn.ts';
import type { ConversationItem, ConversationSummary } from './conversation-items.ts';
import type { NewEvent } from './events.ts';
import type { Repair } from './repairs.ts';
import type { StepRef } from './step-ref.ts';

export type BeginStep = StepRef & { after: string[] } & (
    { kind: 'retrieve' } | { kind: 'respond'; model: string | null; follows: JsonObject | null }
  );

export interface ClaimTool extends StepRef {
  kind: 'tool';
  after: string[];
  callId: string;
  name: string;
  policy: ToolPolicy | null;
  /** Whether the tool can undo what it does, whether also what nobody knows of, and for how long it may run. */
  compensable: boolean;
  compensateUnknown: boolean;
  timeoutMs: number;
}

export interface ClaimedCall {
  begun: BegunStep;
  call: ToolCall;
}

export type BegunStep =
  | {
      state: 'open';
      /** How many attempts began it before this one: over 0, something may have happened already. */
      earlierAttempts: number;
      /** The background call of an earlier attempt that goes on at the provider: what it showed stands. */
      running?: RunningCall;
    }
  | { state: 'settled'; status: 'completed' | 'failed'; result: Json; error: StepFailure | null };

/** A background call that was begun by an earlier attempt, and whose end nobody has stored. */
export interface RunningCall {
  callId: string;
  responseId: string;
  /** What readers were shown of it. */
  events: NewEvent[];
  /** Events of the step so far: where the appender goes on. */
  appended: number;
  /** As estimated with its intent. */
  inputTokens: number;
  failedCalls: number;
}

/** What a step that failed for good leaves behind. */
export interface StepFailure {
  reason: string;
  message: string;
}

/** What a model call needs to know of its turn. */
export interface TurnContext {
  conversationId: string;
  endUser: string | null;
  /** Milliseconds since the turn was accepted, by the database's clock. */
  ageMs: number;
  definition: AssistantDefinition;
  summary: ConversationSummary | null;
  /** Items up to this position were asked to be summarized; 0 when none were. */
  summaryWanted: number;
  /** In order: this turn's items, and the earlier ones that are not in the summary. */
  items: ConversationItem[];
  passages: Passage[];
  /** Tokens this turn has used so far, estimates included. */
  usedTokens: number;
}

export interface ToolCall {
  conversationId: string;
  endUser: string | null;
  /** The function_call item as the model gave it. */
  item: Item;
  /** What whoever approved the call has made of its arguments; null where they were left as they are. */
  editedArguments: JsonObject | null;
  /** Tools of the assistant that the caller runs. */
  clientTools: ClientTool[];
}

/** Real numbers of a finished model call. */
export interface CallUsage {
  responseId: string | null;
  requestId: string | null;
  model: string;
  inputTokens: number;
  cachedTokens: number;
  outputTokens: number;
  reasoningTokens: number;
}

export interface SettleResponse {
  /** Output items, verbatim and in order. */
  items: Item[];
  reply: Reply;
  /** Tool definitions the model was offered. */
  toolDefinitions: JsonObject[];
  /** Events not yet appended; they land in the same transaction. */
  events: NewEvent[];
  /** `events` are the whole reply: what was shown of it is taken back before them. */
  rewind?: boolean;
  usage: { callId: string; call: CallUsage } | null;
  /** Items up to this position are to be summarized; null to ask for nothing. */
  summarize: number | null;
  /** The turn waits for these calls, for so many milliseconds at most. */
  waiting?: { actions: NewAction[]; timeoutMs: number };
}

export interface SettleTool {
  callId: string;
  name: string;
  outcome: ToolOutcome;
  /** What the model is told. */
  output: string;
  error: StepFailure | null;
  /** What the tool returned; null when it took no effect, or nobody knows. */
  effect: { returned: Json } | null;
}

export interface FailedModelCall {
  requestId: string | null;
  error: string;
  /** The server refused it, or it was certainly never sent: unless something was shown, it cost nothing. */
  refused: boolean;
}

/** A model call to be sent. */
export interface IntendedCall {
  model: string;
  inputTokens: number;
  /** The provider generates it in the background. */
  background?: boolean;
}

/** All reject with `StepRefused` when the attempt has lost its step. */
export interface StepStore {
  /**
   * Locks the turn, refuses a sealed or absent one and an attempt that is too old, inserts the step if missing, raises
   * its fence. When an earlier attempt showed events of a respond step, `turn.rewind` is written here, unless they are
   * of a background call that goes on.
   */
  begin(step: BeginStep): Promise<BegunStep>;
  /** The same for a tool call, which is read along. Refused with `store_rolled_back` when the store has no such call. */
  claim(step: ClaimTool): Promise<ClaimedCall>;
  loadContext(ref: StepRef): Promise<TurnContext>;
  /**
   * Tells of items that the model is not shown as they are stored, by a step `repair:<round>` that is settled at once.
   * Answers whether it was told now: once a round.
   */
  recordRepairs(ref: StepRef, repairs: Repair[]): Promise<boolean>;
  /**
   * Commits the intent to send one model call and marks earlier intents of the step as abandoned.
   * `failedCalls` counts this step's calls that failed before, `abandonedCalls` those given up by this, `orphans` the
   * background calls among them whose response nobody can find: their id was never stored.
   */
  recordIntent(
    ref: StepRef,
    call: IntendedCall,
  ): Promise<{ callId: string; failedCalls: number; abandonedCalls: number; orphans: number }>;
  /** A call that failed; the step stays open for another attempt. */
  recordFailedCall(ref: StepRef, callId: string, call: FailedModelCall): Promise<void>;
  /** Keeps the passages of documents that are indexed; answers how many. */
  settleRetrieval(ref: StepRef, passages: Passage[]): Promise<number>;
  settleResponse(ref: StepRef, response: SettleResponse): Promise<void>;
  /** Stores the function_call_output at the place reserved for it. */
  settleTool(ref: StepRef, call: SettleTool): Promise<void>;
  /** Settles a step as failed; deltas of it that readers saw are rewound. */
  settleFailure(ref: StepRef, failure: StepFailure, result?: Json): Promise<void>;
}
