import type { Item, JsonObject } from '../contracts/json.ts';
import { DEFAULT_TOOL_TIMEOUT_MS, isRunnable, type ToolDefinition } from '../contracts/tools.ts';
import type { ToolCallRef } from '../contracts/turn.ts';

const MAX_NAME = 128;
/** Calls of one reply; each is an activity of its own, and Temporal takes 2,000 at a time. */
const MAX_CALLS = 128;

/** What the workflow needs to know of each call: never its arguments. */
export function callRefs(items: Item[], offered: ToolDefinition[]): ToolCallRef[] {
  return functionCalls(items).map((item) => {
    const tool = offered.find(({ name }) => name === item['name']);
    return {
      callId: String(item['call_id']),
      name: String(item['name']).replaceAll('\u0000', '\ufffd').slice(0, MAX_NAME),
      policy: tool && isRunnable(tool) ? tool.policy : null,
      timeoutMs: tool?.timeoutMs ?? DEFAULT_TOOL_TIMEOUT_MS,
    };
  });
}

/** Why these items cannot be stored or their calls told apart, or null. */
export function replyMistake(items: Item[], earlier: Item[]): string | null {
  if (!items.every(isItem)) return 'The model sent an output item without a usable type.';
  const count = functionCalls(items).length;
  if (count > MAX_CALLS)
    return `The model asked for ${count} tool calls at once, over ${MAX_CALLS}.`;
  return callMistake(items, earlier);
}

function isItem(item: unknown): boolean {
  if (typeof item !== 'object' || item === null || !('type' in item)) return false;
  return typeof item.type === 'string' && /^[\x20-\x7e]{1,128}$/.test(item.type);
}

function callMistake(items: Item[], earlier: Item[]): string | null {
  const seen = new Set(functionCalls(earlier).map(({ call_id: id }) => id));
  for (const { call_id: id } of functionCalls(items)) {
    if (typeof id !== 'string' || !/^[\x21-\x7e]{1,128}$/.test(id)) {
      return 'The model sent a function call without a usable call_id.';
    }
    if (seen.has(id)) return `The model sent the call_id ${id} twice.`;
    seen.add(id);
  }
  return null;
}

function functionCalls(items: Item[]): JsonObject[] {
  return items.filter(({ type }) => type === 'function_call');
}
