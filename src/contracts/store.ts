import type { AssistantDefinition } from './assistant.ts';
import type { Item, Json, JsonObject } from './json.ts';
import type { Passage } from './retrieval.ts';
import type {
  CompensateInput,
  EffectRef,
  Ending,
  FinalStatus,
  Reply,
  SummarizeInput,
  ToolOutcome,
  ToolPolicy,
  TurnInput,
} from './turn.ts';

/**
 * What is durable. Every method is one statement or one transaction, and takes the tenant it works for,
 * except those of `Sweep`, which serve the worker itself. Methods reject with `StoreUnavailable` when the database
 * cannot be reached or broke off, with `TurnkeeperError` for what a caller did wrong.
 */
export interface Store {
  assistants: AssistantStore;
  conversations: ConversationStore;
  turns: TurnStore;
  steps: StepStore;
  events: EventStore;
  documents: DocumentStore;
  files: FileStore;
  compensations: CompensationStore;
  summaries: SummaryStore;
  sweep: Sweep;
  close(): Promise<void>;
}

/** The database is away or broke off: worth trying again. */
export class StoreUnavailable extends Error {
  constructor(cause: unknown) {
    super(
      `The database did not answer: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
    this.name = 'StoreUnavailable';
  }
}

/** Idempotency key and the fingerprint of the request it came with. */
export interface RequestKey {
  key: string;
  requestHash: string;
}

export interface Page<T> {
  data: T[];
  /** Null on the last page. */
  nextCursor: string | null;
}

export interface PageRequest {
  /** 1–100, 20 by default. */
  limit?: number;
  cursor?: string;
  /** `asc` by default: oldest first. */
  order?: 'asc' | 'desc';
}

// ── assistants ──────────────────────────────────────────────────────────────

export interface Assistant {
  id: string;
  /** 1, 2, 3 …; the newest unless another was asked for. */
  version: number;
  definition: AssistantDefinition;
  createdAt: Date;
}

export interface AssistantStore {
  create(tenant: string, definition: AssistantDefinition, key?: RequestKey): Promise<Assistant>;
  /** Adds a version. */
  update(tenant: string, id: string, definition: AssistantDefinition): Promise<Assistant>;
  get(tenant: string, id: string, version?: number): Promise<Assistant>;
  list(tenant: string, page: PageRequest): Promise<Page<Assistant>>;
}

// ── conversations and items ─────────────────────────────────────────────────

export interface Conversation {
  id: string;
  endUser: string | null;
  metadata: JsonObject;
  /** The turn that holds the conversation's lock. */
  activeTurn: string | null;
  /** What a model is told of the items that it is not shown any more; null as long as it is shown all. */
  summary: ConversationSummary | null;
  createdAt: Date;
}

export interface ConversationItem {
  /** Position in the conversation; rises, may have gaps. */
  position: number;
  turnId: string | null;
  item: Item;
  createdAt: Date;
}

export interface ConversationStore {
  create(
    tenant: string,
    fields: { endUser: string | null; metadata: JsonObject },
    key?: RequestKey,
  ): Promise<Conversation>;
  get(tenant: string, id: string): Promise<Conversation>;
  list(
    tenant: string,
    filter: { endUser?: string },
    page: PageRequest,
  ): Promise<Page<Conversation>>;
  items(
    tenant: string,
    id: string,
    filter: { turnId?: string },
    page: PageRequest,
  ): Promise<Page<ConversationItem>>;
}

// ── turns ───────────────────────────────────────────────────────────────────

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
  deadline: Date;
  acceptedAt: Date;
  startedAt: Date | null;
  sealedAt: Date | null;
  /** `closed`: each effect that was to be undone has its step, which says how that went. Null: nothing is to be undone. */
  compensation: 'requested' | 'closed' | null;
}

export interface AcceptTurn {
  conversationId: string;
  assistantId: string;
  assistantVersion?: number;
  items: Item[];
  key?: RequestKey;
}

export type Accepted =
  | { kind: 'accepted' | 'repeated'; turn: Turn; input: TurnInput }
  /** Nothing was written: another turn holds the conversation. */
  | { kind: 'busy'; active: Turn; activeInput: TurnInput };

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
  startedAt: Date;
  settledAt: Date | null;
}

export type StepKind = 'retrieve' | 'respond' | 'tool' | 'compensate';
/** `failed`: settled without what it was for. `closed`: the turn, or its compensation, was ended over it. */
export type StepStatus = 'open' | 'completed' | 'failed' | 'closed';

export interface ModelCall {
  step: string;
  model: string;
  /** `intent`: sent, or about to be. `abandoned`: nobody waits for it any more; its tokens are an estimate. */
  state: 'intent' | 'completed' | 'failed' | 'abandoned';
  estimated: boolean;
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
  calls: ModelCall[];
}

export type Source = Pick<
  Passage,
  'chunkId' | 'documentId' | 'documentName' | 'start' | 'end' | 'text' | 'score'
>;

export interface Sealed {
  status: FinalStatus;
  reason: string | null;
  /** False when somebody else had sealed it before. */
  won: boolean;
  /** From accept to the end, by the database's clock. */
  durationMs: number;
  /** Models of the calls that this gave up, one entry a call. */
  abandonedCalls: string[];
  /** The queued turn that got the lock, to be started by whoever reads this. */
  next: TurnInput | null;
  /** Effects to be undone, to be started by whoever reads this. */
  compensate: CompensateInput | null;
  /** The conversation outgrew what a model is shown: its summary is to be started by whoever reads this. */
  summarize: SummarizeInput | null;
}

export interface TurnStore {
  accept(tenant: string, request: AcceptTurn): Promise<Accepted>;
  /** `accepted` → `started`; a turn in any other state is left alone. */
  markStarted(tenant: string, turnId: string): Promise<void>;
  get(tenant: string, turnId: string): Promise<Turn>;
  list(tenant: string, conversationId: string, page: PageRequest): Promise<Page<Turn>>;
  steps(tenant: string, turnId: string): Promise<Step[]>;
  usage(tenant: string, turnId: string): Promise<Usage>;
  sources(tenant: string, turnId: string): Promise<Source[]>;
  /** The only way a turn ends. `expired` is refused (null) before the deadline. */
  seal(tenant: string, turnId: string, ending: Ending): Promise<Sealed | null>;
}

// ── steps: the effect ledger ────────────────────────────────────────────────

/** Issued by the Temporal server per activity attempt; rises from attempt to attempt. */
export interface Fence {
  scheduledMs: number;
  attempt: number;
}

/** A step together with the attempt that works on it. */
export interface StepRef {
  tenant: string;
  turnId: string;
  step: string;
  fence: Fence;
}

export type BeginStep = StepRef & { after: string[] } & (
    | { kind: 'retrieve' }
    | { kind: 'respond'; model: string | null; follows: JsonObject | null }
    | {
        kind: 'tool';
        callId: string;
        name: string;
        policy: ToolPolicy | null;
        /** Whether the tool can undo what it does, and for how long it may run. */
        compensable: boolean;
        timeoutMs: number;
      }
  );

export type BegunStep =
  | {
      state: 'open';
      /** How many attempts began it before this one: over 0, something may have happened already. */
      earlierAttempts: number;
    }
  | { state: 'settled'; status: 'completed' | 'failed'; result: Json; error: StepFailure | null };

/** What a step that failed for good leaves behind. */
export interface StepFailure {
  reason: string;
  message: string;
}

/** A refusal by the ledger; `reason` is one of contracts/failures.ts. */
export class StepRefused extends Error {
  readonly reason: 'turn_sealed' | 'turn_not_found' | 'store_rolled_back' | 'step_fenced';
  constructor(reason: StepRefused['reason'], message: string) {
    super(message);
    this.name = 'StepRefused';
    this.reason = reason;
  }
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
  usage: { callId: string; call: CallUsage } | null;
  /** Items up to this position are to be summarized; null to ask for nothing. */
  summarize: number | null;
}

export interface SettleTool {
  callId: string;
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
  /** The server refused it, or it never got there: unless something was shown, it cost nothing. */
  refused: boolean;
}

/** All reject with `StepRefused` when the attempt has lost its step. */
export interface StepStore {
  /**
   * Locks the turn, refuses a sealed or absent one and an attempt that is too old, inserts the step if missing, raises
   * its fence. When an earlier attempt showed events of a respond step, `turn.rewind` is written here.
   */
  begin(step: BeginStep): Promise<BegunStep>;
  loadContext(ref: StepRef): Promise<TurnContext>;
  loadToolCall(ref: StepRef, callId: string): Promise<ToolCall>;
  /**
   * Commits the intent to send one model call and marks earlier intents of the step as abandoned.
   * `failedCalls` counts this step's calls that failed before, `abandonedCalls` those given up by this.
   */
  recordIntent(
    ref: StepRef,
    call: { model: string; inputTokens: number },
  ): Promise<{ callId: string; failedCalls: number; abandonedCalls: number }>;
  /** A call that failed; the step stays open for another attempt. */
  recordFailedCall(ref: StepRef, callId: string, call: FailedModelCall): Promise<void>;
  settleRetrieval(ref: StepRef, passages: Passage[]): Promise<void>;
  settleResponse(ref: StepRef, response: SettleResponse): Promise<void>;
  /** Stores the function_call_output at the place reserved for it. */
  settleTool(ref: StepRef, call: SettleTool): Promise<void>;
  /** Settles a step as failed; deltas of it that readers saw are rewound. */
  settleFailure(ref: StepRef, failure: StepFailure, result?: Json): Promise<void>;
}

// ── events ──────────────────────────────────────────────────────────────────

/** Responses stream events plus our own `turn.*`. */
export type NewEvent = JsonObject & { type: string };

export interface TurnEvent {
  /** 1, 2, 3 … per turn, in commit order. */
  number: number;
  /** The step it came from, null for events of the turn itself. */
  step: string | null;
  event: NewEvent;
  createdAt: Date;
}

export interface EventBatch {
  ref: StepRef;
  /** How many events of this attempt were appended before: the same batch never lands twice. */
  position: number;
  events: NewEvent[];
}

export interface EventStore {
  /** Appends in one statement; answers the steps whose batch was refused, in the order given. */
  append(batches: EventBatch[]): Promise<StepRef[]>;
  /** How many events this attempt has appended; null when it has lost its step. */
  appended(ref: StepRef): Promise<number | null>;
  read(
    tenant: string,
    turnId: string,
    range: { after: number; limit: number },
  ): Promise<EventsRead>;
  /** Tells of events that this process writes. Only a hint: others write as well, and it may have missed some. */
  watch(tenant: string, turnId: string): EventWatch;
}

export interface EventsRead {
  events: TurnEvent[];
  /** The turn had ended: nothing will come behind these events. */
  sealed: boolean;
}

export interface EventWatch {
  /** Resolves true once events may have come since the call before, false after `ms`. One call at a time. */
  next(ms: number): Promise<boolean>;
  close(): void;
}

/** Gathers the events of all turns of this process and writes them together. */
export interface Appender {
  /** Queues; the first delta of a step goes at once. Throws `StepRefused` when the step has been lost. */
  append(ref: StepRef, event: NewEvent): void;
  /** Waits until nothing of this step is being written, and hands over what is still unwritten. */
  take(ref: StepRef): Promise<NewEvent[]>;
  /** Writes what is queued for this step. */
  flush(ref: StepRef): Promise<void>;
  /** Forgets the step. */
  release(ref: StepRef): void;
  /** Aborted with `StepRefused` when the step has been lost, with `StoreUnavailable` when writing was given up. */
  lost(ref: StepRef): AbortSignal;
  close(): Promise<void>;
}

// ── documents ───────────────────────────────────────────────────────────────

export interface DocumentRecord {
  id: string;
  base: string;
  name: string;
  mediaType: string;
  bytes: number;
  /** `stored` until the workflow has indexed it. */
  status: 'stored' | 'indexed' | 'failed';
  chunks: number | null;
  error: { reason: string; message: string } | null;
  createdAt: Date;
}

export interface NewDocument {
  base: string;
  name: string;
  mediaType: string;
  content: Uint8Array;
  key?: RequestKey;
}

export interface DocumentStore {
  /** Stores record and bytes, in parts, in one transaction. */
  create(tenant: string, document: NewDocument): Promise<DocumentRecord>;
  get(tenant: string, id: string): Promise<DocumentRecord>;
  list(tenant: string, filter: { base?: string }, page: PageRequest): Promise<Page<DocumentRecord>>;
  read(tenant: string, id: string): Promise<Uint8Array>;
  markIndexed(tenant: string, id: string, chunks: number): Promise<void>;
  markFailed(tenant: string, id: string, error: StepFailure): Promise<void>;
}

// ── files ───────────────────────────────────────────────────────────────────

/** Bytes that belong to a turn: what a tool made. */
export interface FileRecord {
  id: string;
  turnId: string;
  /** A plain file name: no path, no control characters. */
  name: string;
  mediaType: string;
  bytes: number;
  createdAt: Date;
}

export interface NewFile {
  turnId: string;
  name: string;
  mediaType: string;
  content: Uint8Array;
  /** The same key gives the same file: storing again changes nothing. */
  key: string;
}

export interface FileStore {
  /** Stores records and bytes, in parts, in one transaction; answers them in the order given. */
  create(tenant: string, files: NewFile[]): Promise<FileRecord[]>;
  get(tenant: string, id: string): Promise<FileRecord>;
  list(tenant: string, filter: { turnId?: string }, page: PageRequest): Promise<Page<FileRecord>>;
  read(tenant: string, id: string): Promise<Uint8Array>;
}

// ── compensations ───────────────────────────────────────────────────────────

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
  /** Closes it over its effects that are not settled; each says why. Answers false when it was closed before. */
  abandon(tenant: string, turnId: string, failure: StepFailure): Promise<boolean>;
}

// ── summaries ───────────────────────────────────────────────────────────────

export interface ConversationSummary {
  text: string;
  /** Items up to and including this position are in it. */
  through: number;
}

/** What the next call of `summarize` works on. */
export interface SummaryWork {
  /** The assistant that asked. */
  definition: AssistantDefinition;
  endUser: string | null;
  summary: ConversationSummary | null;
  /** The first items after the summary, of those that are to be in it: some hundreds, and some megabytes, at most. */
  items: ConversationItem[];
}

export interface SummaryStore {
  /**
   * Null when there is nothing to summarize (any more). Seals and sweeps don't ask for this summary again for an hour,
   * unless more is asked of it: whoever works on it tries for long, or has failed for good.
   */
  work(tenant: string, conversationId: string): Promise<SummaryWork | null>;
  /**
   * Replaces the summary by one that reaches further, but no further than was asked for. Null, and nothing changes, when
   * it is not the one that ends at `after` (0 for none) any more; else whether there is more to summarize.
   */
  extend(
    tenant: string,
    conversationId: string,
    change: { after: number; summary: ConversationSummary },
  ): Promise<{ more: boolean } | null>;
}

// ── the worker's sweep, over all tenants ────────────────────────────────────

export interface Sweep {
  /** Turns accepted at least `olderThanMs` ago whose start was never marked. */
  unstartedTurns(olderThanMs: number, limit: number): Promise<TurnInput[]>;
  /** Turns at least `graceMs` past their deadline and not sealed. */
  overdueTurns(graceMs: number, limit: number): Promise<TurnInput[]>;
  /** Documents stored at least `olderThanMs` ago and neither indexed nor failed. */
  unindexedDocuments(
    olderThanMs: number,
    limit: number,
  ): Promise<{ tenant: string; documentId: string }[]>;
  /**
   * Compensations requested at least `olderThanMs` ago and not closed. Each is handed out at most once in `everyMs`,
   * whoever asks.
   */
  openCompensations(
    age: { olderThanMs: number; everyMs: number },
    limit: number,
  ): Promise<CompensateInput[]>;
  /** Conversations whose summary lags behind and was asked for at least `olderThanMs` ago; see `SummaryStore.work`. */
  outgrownConversations(olderThanMs: number, limit: number): Promise<SummarizeInput[]>;
}
