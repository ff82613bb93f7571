import type { ClientTool } from './assistant.ts';
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
  turn: ToolTurn;
}

/** The turn that a call belongs to. */
export interface ToolTurn {
  tenant: string;
  turnId: string;
  conversationId: string;
  endUser: string | null;
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
  /** Without it the caller runs the tool, and submits its outputs. */
  run?(args: JsonObject, context: ToolContext): Promise<Json> | Json;
  /**
   * Whether a call waits until somebody has approved it. A function is asked once, with arguments that fit their schema; a
   * call of which it does not say false within five seconds waits.
   */
  approval?: 'always' | ((args: JsonObject, turn: ToolTurn) => boolean | Promise<boolean>);
  /**
   * Undoes a call that took effect, when its turn failed for good or somebody asked for it. Tried up to ten times until it
   * resolves, each time with the same `context.key`. `output` is what `run` returned, null where that was not usable or
   * nobody knows.
   */
  compensate?(args: JsonObject, output: Json, context: CompensationContext): Promise<void> | void;
  /**
   * Whether `compensate` is safe when nobody knows whether `run` took effect: it did not, or it did and never said so, or
   * a worker that was cut off is still at it. Without it such a call is reported and never undone.
   */
  compensateUnknown?: boolean;
  /** Called after the outcome of a call is stored, unless this process died: lets go of what was kept for a retry. */
  settled?(context: Pick<ToolContext, 'key'>): Promise<void> | void;
  /** Required by `reconcilable`: looks up by `context.key` what became of an earlier attempt. */
  reconcile?(args: JsonObject, context: ToolContext): Promise<Reconciliation>;
}

/** A tool that the worker runs. */
export type RunnableTool = ToolDefinition & Required<Pick<ToolDefinition, 'run'>>;

export function isRunnable(tool: ToolDefinition): tool is RunnableTool {
  return tool.run !== undefined;
}

/** The name of the tool that is built in. */
export const RUN_CODE = 'run_code';

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
  /** With tools that the caller of a turn runs; they hide those of the same name. */
  including(clientTools: ClientTool[]): Tools;
}
