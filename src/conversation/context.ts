import type { Item, JsonObject } from '../contracts/json.ts';
import type { ModelRequest } from '../contracts/model.ts';
import type { Passage } from '../contracts/retrieval.ts';
import type { ConversationItem, TurnContext } from '../contracts/store.ts';
import type { ToolDefinition } from '../contracts/tools.ts';

/** The API's smallest `max_output_tokens`. */
const MIN_OUTPUT_TOKENS = 16;
const CHARACTERS_PER_TOKEN = 4;
/** Fields whose characters are no text: images, files, encrypted reasoning. Counted as this much each. */
const OPAQUE = new Set(['image_url', 'file_data', 'encrypted_content', 'result']);
const TOKENS_OF_OPAQUE = 1_000;

export interface PlannedCall {
  request: ModelRequest;
  /** Estimated, for calls whose usage never arrives. */
  inputTokens: number;
  /** What ends a reply that reaches its `max_output_tokens`: the turn's cap, or the limit of one call. */
  outputLimitedBy: 'max_turn_tokens' | 'max_output_tokens';
}

/**
 * Puts one model call together. Instructions, tools and the oldest items come first and never change, for the provider
 * caches by prefix; passages stand just before this turn's input. Null when the turn's token cap leaves no room.
 */
export function planCall(
  context: TurnContext,
  turn: { turnId: string; model: string; safetyIdentifier: string | null },
  tools: ToolDefinition[],
): PlannedCall | null {
  const { definition } = context;
  const input = buildInput(context, turn.turnId);
  const toolList = [...tools.map(functionTool), ...(definition.hostedTools ?? [])];
  const inputTokens = estimateTokens([definition.instructions ?? '', input, toolList]);
  const tokensLeft = tokensLeftOf(context, inputTokens);
  if (tokensLeft < MIN_OUTPUT_TOKENS) return null;
  const ownLimit = definition.limits?.maxOutputTokens ?? Infinity;
  const maxOutputTokens = Math.min(ownLimit, tokensLeft);
  const request: ModelRequest = {
    model: turn.model,
    input,
    tools: toolList,
    promptCacheKey: context.conversationId,
    ...(definition.instructions !== undefined && { instructions: definition.instructions }),
    ...(definition.text && { text: definition.text }),
    ...(definition.modelOptions && { options: definition.modelOptions }),
    ...(turn.safetyIdentifier !== null && { safetyIdentifier: turn.safetyIdentifier }),
    ...(Number.isFinite(maxOutputTokens) && { maxOutputTokens }),
  };
  const outputLimitedBy = tokensLeft < ownLimit ? 'max_turn_tokens' : 'max_output_tokens';
  return { request, inputTokens, outputLimitedBy };
}

/** What the turn's cap leaves for the output of a call with that input. */
function tokensLeftOf({ definition, usedTokens }: TurnContext, inputTokens: number): number {
  return (definition.limits?.maxTurnTokens ?? Infinity) - usedTokens - inputTokens;
}

export function estimateTokens(value: unknown): number {
  let opaque = 0;
  const text = JSON.stringify(value, (key, field: unknown) => {
    if (typeof field !== 'string' || !OPAQUE.has(key)) return field;
    opaque += 1;
    return '';
  });
  return Math.ceil(text.length / CHARACTERS_PER_TOKEN) + opaque * TOKENS_OF_OPAQUE;
}

function functionTool(tool: ToolDefinition): JsonObject {
  const { name, description, parameters } = tool;
  return { type: 'function', name, description, parameters, strict: false };
}

function buildInput({ items, passages }: TurnContext, turnId: string): Item[] {
  const usable = items.filter((_, index) => !isLoneReasoning(items, index));
  const earlier = usable.filter((entry) => entry.turnId !== turnId);
  const current = usable.filter((entry) => entry.turnId === turnId);
  return [
    ...earlier.map(itemOf),
    ...(passages.length > 0 ? [passagesMessage(passages)] : []),
    ...current.map(itemOf),
  ];
}

/** Reasoning that led to nothing, as when its answer was cut off: the API refuses it without what follows it. */
function isLoneReasoning(items: ConversationItem[], index: number): boolean {
  const entry = items[index];
  if (entry?.item.type !== 'reasoning') return false;
  const next = items.slice(index + 1).find(({ item }) => item.type !== 'reasoning');
  if (next?.turnId !== entry.turnId) return true;
  return next.item.type === 'function_call_output' || isInput(next.item);
}

function isInput({ type, role }: Item): boolean {
  return type === 'message' && role !== 'assistant';
}

function itemOf({ item }: ConversationItem): Item {
  return item;
}

function passagesMessage(passages: Passage[]): Item {
  const blocks = passages.map(
    (passage, index) =>
      `[${index + 1}] ${passage.documentName}, characters ${passage.start}–${passage.end}\n${passage.text}`,
  );
  // In the user's rank, for what documents say are no instructions.
  const text = ['Passages from the knowledge base. Cite them as [1], [2], …', ...blocks].join(
    '\n\n',
  );
  return { type: 'message', role: 'user', content: [{ type: 'input_text', text }] };
}

/** What to search for: the text of this turn's user messages. */
export function searchText({ items }: TurnContext, turnId: string): string {
  return items
    .filter(({ turnId: id, item }) => id === turnId && item['role'] === 'user')
    .flatMap(({ item }) => textParts(item, 'input_text'))
    .join('\n');
}

export function textParts(item: Item, type: 'input_text' | 'output_text'): string[] {
  const { content } = item;
  if (typeof content === 'string') return [content];
  if (!Array.isArray(content)) return [];
  return content.flatMap((part) => {
    const text = isObject(part) && part['type'] === type ? part['text'] : undefined;
    return typeof text === 'string' ? [text] : [];
  });
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
