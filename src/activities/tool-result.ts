import { isNestedDeeper, MAX_NESTING, type Json } from '../contracts/json.ts';
import { MAX_TOOL_OUTPUT_CHARACTERS, ToolUnavailable } from '../contracts/tools.ts';
import type { ToolDefinition, Tools } from '../contracts/tools.ts';
import type { ToolOutcome } from '../contracts/turn.ts';
import {
  errorOutput,
  resultOutput,
  unknownOutcome,
  type ToolErrorOutput,
} from '../conversation/tool-output.ts';
import { messageOf } from './failures.ts';

/** How a call went, as the model is told. */
export interface ToolResult {
  outcome: ToolOutcome;
  output: string;
  /** For callers and operators. */
  error: { reason: string; message: string } | null;
  /** What the tool returned, for whoever undoes it; null when it took no effect, or nobody knows. */
  effect: { returned: Json } | null;
}

export function failed(error: ToolErrorOutput): ToolResult {
  const reported = { reason: error.type, message: messageOf(error.message) };
  return { outcome: 'failed', output: errorOutput(error), error: reported, effect: null };
}

/** It started, and nobody knows how it went. */
export function unknown(name: string, error = unknownOutcome(name)): ToolResult {
  return { ...failed(error), outcome: 'unknown' };
}

export function threw(error: unknown): ToolResult {
  const message = messageOf(error);
  if (error instanceof ToolUnavailable) return unavailable(error, message);
  return failed({ type: 'tool_error', message });
}

/** An attempt before may have taken effect, whatever became of this one. */
export function threwAgain({ name }: ToolDefinition, error: unknown): ToolResult {
  const message = `An earlier attempt of ${name} may have taken effect. The last one failed: ${messageOf(error)}`;
  if (error instanceof ToolUnavailable)
    return { ...unavailable(error, message), outcome: 'unknown' };
  return unknown(name, { type: 'outcome_unknown', message });
}

/** The model learns that it cannot be had, operators also why. */
function unavailable({ message, cause = message }: ToolUnavailable, told: string): ToolResult {
  const result = failed({ type: 'tool_unavailable', message: told });
  return { ...result, error: { reason: 'tool_unavailable', message: messageOf(cause) } };
}

/** What a tool returned, if it is JSON of the promised shape and of a size that a model can read. */
export function succeeded(tool: ToolDefinition, tools: Tools, returned: unknown): ToolResult {
  const value = toJson(returned);
  if (value === undefined) return invalidOutput(tool, 'is not JSON');
  if (isNestedDeeper(value))
    return invalidOutput(tool, `is nested deeper than ${MAX_NESTING} levels`);
  const output = resultOutput(value);
  if (output.length > MAX_TOOL_OUTPUT_CHARACTERS) {
    const size = `has ${output.length} characters, over ${MAX_TOOL_OUTPUT_CHARACTERS}`;
    return invalidOutput(tool, size);
  }
  const details = tool.output ? tools.checkOutput(tool.name, value) : null;
  if (details) return invalidOutput(tool, 'does not fit its schema', { details, returned: value });
  return { outcome: 'succeeded', output, error: null, effect: { returned: value } };
}

/** The tool ran: only what it said is unusable. */
function invalidOutput(
  { name }: ToolDefinition,
  what: string,
  { details, returned = null }: { details?: Json; returned?: Json } = {},
): ToolResult {
  const message = `${name} ran, but its output ${what}.`;
  const told = failed({
    type: 'invalid_output',
    message,
    ...(details !== undefined && { details }),
  });
  return { ...told, effect: { returned } };
}

/** Null for a tool that returns nothing; undefined for what JSON has no form for. */
function toJson(value: unknown): Json | undefined {
  if (value === undefined) return null;
  try {
    const text: unknown = JSON.stringify(value);
    return typeof text === 'string' ? (JSON.parse(text) as Json) : undefined;
  } catch {
    return undefined;
  }
}
