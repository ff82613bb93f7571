import type { Json, JsonObject } from './json.ts';
import type { ToolPolicy } from './turn.ts';

export interface ToolContext {
  /** Stable over every attempt of this call: give it to whatever the tool calls as idempotency key. */
  key: string;
  /** Aborted when the turn is cancelled, the time is up, or this attempt lost its step. */
  signal: AbortSignal;
  /** Tells readers of the turn how far the tool is. */
  progress(message: string): void;
  turn: { tenant: string; turnId: string; conversationId: string; endUser: string | null };
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
   * Undoes a call that succeeded, when its turn failed for good. Tried again until it resolves, with the same
   * `context.key`, which is another one than that of `run`.
   */
  compensate?(args: JsonObject, output: Json, context: ToolContext): Promise<void> | void;
  /** Required by `reconcilable`: looks up by `context.key` what became of an earlier attempt. */
  reconcile?(args: JsonObject, context: ToolContext): Promise<Reconciliation>;
}

export const DEFAULT_TOOL_TIMEOUT_MS = 60_000;

/** Result of checking a value against a schema: null when it fits, else one line per mistake. */
export type SchemaErrors = string[] | null;

/** The worker's tools. */
export interface Tools {
  names(): string[];
  get(name: string): ToolDefinition | undefined;
  checkArguments(name: string, args: Json): SchemaErrors;
  checkOutput(name: string, output: Json): SchemaErrors;
}
