import type { Json, JsonObject } from './json.ts';
import type { ToolPolicy } from './turn.ts';

export interface ToolContext {
  /** Stable over every attempt of this call: give it to whatever the tool calls as idempotency key. */
  key: string;
  /**
   * Aborted when the turn is cancelled or the time is up; with `AttemptOver` as its reason when only this attempt ends.
   */
  signal: AbortSignal;
  /** Tells readers of the turn how far the tool is. */
  progress(message: string): void;
  turn: { tenant: string; turnId: string; conversationId: string; endUser: string | null };
}

/** Its `key` is the compensation's own. Nobody reads its `progress`. */
export interface CompensationContext extends ToolContext {
  /** The key that `run` was given. */
  runKey: string;
}

/** What a reconcilable tool knows of an earlier attempt. */
export type Reconciliation =
  { state: 'done'; output: Json } | { state: 'not_started' } | { state: 'unknown' };

export interface ToolDefinition {
  /** 1–64 characters of `a–z A–Z 0–9 _ -`. */
  name: string;
  description: string;
  /** JSON Schema of the arguments, an object schema. */
  parameters: JsonObject;
  /** JSON Schema of the output; an output that does not fit is told to the model as a failure. */
  output?: JsonObject;
  policy: ToolPolicy;
  /** Milliseconds, 60,000 by default. */
  timeoutMs?: number;
  run(args: JsonObject, context: ToolContext): Promise<Json> | Json;
  /**
   * Undoes a call that took effect, when its turn failed for good. Tried up to ten times until it resolves, each time
   * with the same `context.key`. `output` is what `run` returned, null where that was not usable.
   */
  compensate?(args: JsonObject, output: Json, context: CompensationContext): Promise<void> | void;
  /** Called after the outcome of a call is stored, unless this process died: lets go of what was kept for a retry. */
  settled?(context: Pick<ToolContext, 'key'>): Promise<void> | void;
  /** Required by `reconcilable`: looks up by `context.key` what became of an earlier attempt. */
  reconcile?(args: JsonObject, context: ToolContext): Promise<Reconciliation>;
}

export const DEFAULT_TOOL_TIMEOUT_MS = 60_000;

/** What a model is told of one call at most. */
export const MAX_TOOL_OUTPUT_CHARACTERS = 262_144;

/**
 * Thrown by a tool whose own engine is away. While it is `retryable` and the tool's policy allows another start, the call
 * is tried again, up to ten times in about a minute; then the model is told `message`, and operators `cause`.
 */
export class ToolUnavailable extends Error {
  readonly retryable: boolean;
  constructor(message: string, { retryable, cause }: { retryable: boolean; cause?: unknown }) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ToolUnavailable';
    this.retryable = retryable;
  }
}

/**
 * Reason of a `signal` that is aborted though the call is still wanted: the worker goes away, or Temporal has given this
 * attempt up. What it has begun elsewhere is better left for the next attempt.
 */
export class AttemptOver extends Error {
  constructor(cause: unknown) {
    super('This attempt is over; another one may follow.', { cause });
    this.name = 'AttemptOver';
  }
}

/** Result of checking a value against a schema: null when it fits, else one line per mistake. */
export type SchemaErrors = string[] | null;

/** The worker's tools. */
export interface Tools {
  names(): string[];
  get(name: string): ToolDefinition | undefined;
  checkArguments(name: string, args: Json): SchemaErrors;
  checkOutput(name: string, output: Json): SchemaErrors;
}
