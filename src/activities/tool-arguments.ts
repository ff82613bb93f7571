import { isNestedDeeper, MAX_NESTING, type Json, type JsonObject } from '../contracts/json.ts';
import type { Tools } from '../contracts/tools.ts';
import type { ToolErrorOutput } from '../conversation/tool-output.ts';

const TOO_DEEP = [`/ is nested deeper than ${MAX_NESTING} levels`];

/** The arguments of a call as the model wrote them, if they are JSON that fits the tool's schema. */
export function readArguments(
  tools: Tools,
  name: string,
  text: Json | undefined,
): { value: JsonObject } | { mistake: ToolErrorOutput } {
  const parsed = parseJson(typeof text === 'string' && text !== '' ? text : '{}');
  if (parsed !== undefined) return checkArguments(tools, name, parsed);
  return { mistake: { type: 'invalid_json', message: 'The arguments are not valid JSON.' } };
}

function checkArguments(
  tools: Tools,
  name: string,
  value: Json,
): { value: JsonObject } | { mistake: ToolErrorOutput } {
  const details = isNestedDeeper(value) ? TOO_DEEP : tools.checkArguments(name, value);
  if (!details) return { value: value as JsonObject };
  const message = `The arguments do not fit the schema of ${name}.`;
  return { mistake: { type: 'invalid_arguments', message, details } };
}

function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
