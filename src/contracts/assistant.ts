import type { JsonObject } from './json.ts';

/** What an assistant is. Stored whole, once per version; a turn runs the version it was accepted with. */
export interface AssistantDefinition {
  name: string;
  /** Model name as the Responses API knows it. */
  model: string;
  instructions?: string;
  /** Names of function tools in the worker's registry. */
  tools?: string[];
  /** Function tools that the caller runs: a turn waits for their outputs. */
  clientTools?: ClientTool[];
  /** Tools the provider runs itself (`web_search`, `mcp` without approvals, …), passed through as they are. */
  hostedTools?: JsonObject[];
  knowledge?: KnowledgeDefinition;
  /** Responses `text` parameter, for structured output: `{ format: { type: 'json_schema', … } }`. */
  text?: JsonObject;
  /**
   * Further parameters of `responses.create`, passed through: `temperature`, `reasoning`, `tool_choice`, … With
   * `store: false` a reasoning model needs `include: ['reasoning.encrypted_content']`, to be sent its reasoning back.
   */
  modelOptions?: JsonObject;
  /**
   * Where answers are generated. `background`: at the provider, whoever listens, so that another worker goes on with a
   * response whose worker died; the provider keeps it for some minutes. `foreground`, the default: over one connection.
   */
  generation?: 'background' | 'foreground';
  /** Asked when the first model failed for good. */
  fallbackModel?: string;
  /** Said when every model failed for good. Without it such a turn fails. */
  fallbackAnswer?: string;
  context?: ContextDefinition;
  limits?: TurnLimits;
  /**
   * Ends after which a turn's effects are undone by themselves; a cancelled or expired turn keeps them without it. A turn
   * that failed has them undone anyway, one that completed or ended incomplete only when somebody asks for it.
   */
  compensateOn?: ('cancelled' | 'expired')[];
}

/** Its name differs from those in `tools`. */
export interface ClientTool {
  /** 1–64 characters of `a–z A–Z 0–9 _ -`. */
  name: string;
  description: string;
  /** JSON Schema of the arguments, an object schema. */
  parameters: JsonObject;
}

/** How much of a long conversation a model is shown. What it is not shown any more, it is told in a summary. */
export interface ContextDefinition {
  /**
   * Input tokens of one model call, estimated: instructions, tools, passages, summary and items together. This turn's
   * items are shown whole, whatever they take. By default what the model is known to take beside its output, 100,000
   * for models that nobody knows; never more than half of `limits.maxTurnTokens`.
   */
  maxTokens?: number;
}

export interface KnowledgeDefinition {
  /** Names of the knowledge bases to search. */
  bases: string[];
  /** Passages given to the model, 1–50. */
  maxPassages?: number;
}

export interface TurnLimits {
  /** Model calls that may ask for tools before the turn ends incomplete, reason `max_rounds`. */
  maxRounds?: number;
  /** From accept to the end, milliseconds. A turn past it ends as expired. */
  turnTimeoutMs?: number;
  /** How long a turn waits for outputs and approvals, milliseconds. Its own time stands still meanwhile. */
  actionTimeoutMs?: number;
  /** Input plus output tokens of all model calls of one turn. Reaching it ends the turn incomplete, reason `max_turn_tokens`. */
  maxTurnTokens?: number;
  /** Output tokens of one model call, 16 and up. */
  maxOutputTokens?: number;
}

export const TURN_LIMIT_DEFAULTS = {
  maxRounds: 12,
  turnTimeoutMs: 600_000,
  actionTimeoutMs: 600_000,
  maxPassages: 6,
} as const;
