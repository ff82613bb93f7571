import type { AssistantDefinition } from '../contracts/assistant.ts';
import type { Item, JsonObject } from '../contracts/json.ts';
import type { ModelRequest } from '../contracts/model.ts';
import type { Passage } from '../contracts/retrieval.ts';
import type { Repair, TurnContext } from '../contracts/store.ts';
import type { ToolDefinition } from '../contracts/tools.ts';
import { inputBudget } from './budget.ts';
import { textParts } from './items.ts';
import { repairHistory } from './repair.ts';
import { estimateItemTokens, estimateTextTokens } from './tokens.ts';
import { summaryAndLatest, type ContextStrategy, type ContextWindow } from './window.ts';

/** The API's smallest `max_output_tokens`. */
const MIN_OUTPUT_TOKENS = 16;
/** How the window of a long conversation is chosen; others may come to stand beside it. */
const STRATEGY: ContextStrategy = summaryAndLatest;

export interface PlannedCall {
  request: ModelRequest;
  /** Estimated, for calls whose usage never arrives. */
  inputTokens: number;
  /** What ends a reply that reaches its `max_output_tokens`: the turn's cap, or the limit of one call. */
  outputLimitedBy: 'max_turn_tokens' | 'max_output_tokens';
  /** Earlier items that are left out and are not in the summary yet. */
  leftOut: number;
  /** Items up to this position are to be summarized; null to ask for nothing. */
  summarize: number | null;
  /** Items that the model would have refused as they are stored. */
  repairs: Repair[];
}

interface AskedTurn {
  turnId: string;
  model: string;
  safetyIdentifier: string | null;
}

/**
 * Puts one model call together. Instructions, tools, summary and the oldest items come first and rarely change, for the
 * provider caches by prefix; passages stand just before this turn's input. Null when the turn's token cap leaves no room.
 */
export function planCall(
  context: TurnContext,
  turn: AskedTurn,
  tools: ToolDefinition[],
): PlannedCall | null {
  const { definition } = context;
  const toolList = [...tools.map(functionTool), ...(definition.hostedTools ?? [])];
  const passages = context.passages.length > 0 ? [passagesMessage(context.passages)] : [];
  const fixedTokens = tokensOfFixed(definition.instructions, toolList, passages);
  const window = chooseWindow(context, turn, fixedTokens);
  const inputTokens = fixedTokens + window.tokens;
  const tokensLeft = tokensLeftOf(context, inputTokens);
  if (tokensLeft < MIN_OUTPUT_TOKENS) return null;
  const ownLimit = definition.limits?.maxOutputTokens ?? Infinity;
  const { input, repairs } = inputOf(window, passages, definition);
  const request: ModelRequest = {
    ...requestOf(context, turn),
    input,
    tools: toolList,
    ...maxOutput(Math.min(ownLimit, tokensLeft)),
  };
  const outputLimitedBy = tokensLeft < ownLimit ? 'max_turn_tokens' : 'max_output_tokens';
  const { leftOut, summarize } = window;
  return { request, inputTokens, outputLimitedBy, leftOut, summarize, repairs };
}

function chooseWindow(context: TurnContext, turn: AskedTurn, fixedTokens: number): ContextWindow {
  const { definition, summary, summaryWanted } = context;
  return STRATEGY({
    turnId: turn.turnId,
    items: context.items,
    summary,
    summaryWanted,
    budget: inputBudget(definition, turn.model) - fixedTokens,
  });
}

function requestOf({ conversationId, definition }: TurnContext, turn: AskedTurn) {
  const { instructions, text, modelOptions, generation } = definition;
  return {
    model: turn.model,
    promptCacheKey: conversationId,
    ...(instructions !== undefined && { instructions }),
    ...(text && { text }),
    ...(modelOptions && { options: modelOptions }),
    ...(generation === 'background' && { background: true }),
    ...(turn.safetyIdentifier !== null && { safetyIdentifier: turn.safetyIdentifier }),
  };
}

function maxOutput(maxOutputTokens: number): Pick<ModelRequest, 'maxOutputTokens'> {
  return Number.isFinite(maxOutputTokens) ? { maxOutputTokens } : {};
}

function tokensOfFixed(instructions = '', tools: JsonObject[], passages: Item[]): number {
  const texts = [instructions, ...tools.map((tool) => JSON.stringify(tool))];
  return (
    texts.reduce((sum, text) => sum + estimateTextTokens(text), 0) +
    passages.reduce((sum, item) => sum + estimateItemTokens(item), 0)
  );
}

function inputOf(
  { summary, earlier, current }: ContextWindow,
  passages: Item[],
  { modelOptions }: AssistantDefinition,
): { input: Item[]; repairs: Repair[] } {
  const stored = modelOptions?.['store'] !== false;
  const { items, repairs } = repairHistory([...earlier, ...current], { stored });
  const turnId = current[0]?.turnId;
  const first = items.findIndex((entry) => current.length > 0 && entry.turnId === turnId);
  const shown = items.map(({ item }) => item);
  const at = first < 0 ? shown.length : first;
  const input = [
    ...(summary ? [summary] : []),
    ...shown.slice(0, at),
    ...passages,
    ...shown.slice(at),
  ];
  return { input, repairs };
}

/** What the turn's cap leaves for the output of a call with that input. */
function tokensLeftOf({ definition, usedTokens }: TurnContext, inputTokens: number): number {
  return (definition.limits?.maxTurnTokens ?? Infinity) - usedTokens - inputTokens;
}

function functionTool(tool: ToolDefinition): JsonObject {
  const { name, description, parameters } = tool;
  return { type: 'function', name, description, parameters, strict: false };
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
