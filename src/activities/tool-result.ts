import type { Json } from '../contracts/json.ts';
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
  error: { reason: string; message: string } | null;
}

const MAX_OUTPUT_CHARACTERS = 262_144;

export function failed(error: ToolErrorOutput): ToolResult {
  const reported = { reason: error.type, message: messageOf(error.message) };
  return { outcome: 'failed', output: errorOutput(error), error: reported };
}

/** It started, and nobody knows how it went. */
export function unknown(tool: ToolDefinition, error = unknownOutcome(tool.name)): ToolResult {
  return { ...failed(error), outcome: 'unknown' };
}

/** What a tool returned, if it is JSON of the promised shape and of a size that a model can read. */
export function succeeded(tool: ToolDefinition, tools: Tools, returned: unknown): ToolResult {
  const value = toJson(returned);
  if (value === undefined) return invalidOutput(tool, 'is not JSON');
  const details = tool.output ? tools.checkOutput(tool.name, value) : null;
  if (details) return invalidOutput(tool, 'does not fit its schema', details);
  const output = resultOutput(value);
  if (output.length > MAX_OUTPUT_CHARACTERS) {
    return invalidOutput(tool, `has ${output.length} characters, over ${MAX_OUTPUT_CHARACTERS}`);
  }
  return { outcome: 'succeeded', output, error: null };
}

/** The tool ran: only what it said is unusable. */
function invalidOutput({ name }: ToolDefinition, what: string, details?: Json): ToolResult {
  const message = `${name} ran, but its output ${what}.`;
  return failed({ type: 'invalid_output', message, ...(details !== undefined && { details }) });
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
