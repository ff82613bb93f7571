import * as specs from 'gpt-tokenizer/models';
import type { AssistantDefinition } from '../contracts/assistant.ts';

/** For models that are in no list. */
const DEFAULT_INPUT_TOKENS = 100_000;
/** Part of a model's window that is used, for tokens are estimated. */
const MARGIN = 0.9;

/**
 * Tokens that the input of one model call may take: what the assistant says, else what the model is known to take beside
 * its output. At most half of what the whole turn may use, so that a long conversation leaves room for an answer.
 */
export function inputBudget({ context, limits }: AssistantDefinition, model: string): number {
  const tokens = context?.maxTokens ?? inputTokensOf(model, limits?.maxOutputTokens);
  return Math.min(tokens, Math.floor((limits?.maxTurnTokens ?? Infinity) / 2));
}

/** Tokens that one call of the model may put out; null when that is not known. */
export function outputLimit(model: string): number | null {
  return specOf(model)?.max_output_tokens ?? null;
}

function inputTokensOf(model: string, maxOutputTokens: number | undefined): number {
  const { context_window: window } = specOf(model) ?? {};
  if (!window) return DEFAULT_INPUT_TOKENS;
  const output = Math.min(maxOutputTokens ?? outputLimit(model) ?? Infinity, window / 2);
  return Math.floor((window - output) * MARGIN);
}

/** The part of the package's model data that is read here. */
interface Spec {
  context_window?: number | null;
  max_output_tokens?: number | null;
}

function specOf(model: string): Spec | undefined {
  const table: Record<string, unknown> = specs;
  return Object.hasOwn(table, model) ? (table[model] as Spec) : undefined;
}
