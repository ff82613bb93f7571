import type { Item } from '../contracts/json.ts';
import type { ConversationItem, ConversationSummary } from '../contracts/store.ts';
import { isInput } from './items.ts';
import { estimateItemTokens } from './tokens.ts';

/** What there is to choose from for one model call. */
interface ContextMaterial {
  turnId: string;
  /** In order: this turn's items, and the earlier ones that are not in the summary. */
  items: ConversationItem[];
  summary: ConversationSummary | null;
  /** Items up to this position were asked to be summarized; 0 when none were. */
  summaryWanted: number;
  /** Tokens that summary and items may take together. */
  budget: number;
}

/** What the model is shown. */
export interface ContextWindow {
  summary: Item | null;
  earlier: ConversationItem[];
  /** This turn's, and notes that came between them: all of them. */
  current: ConversationItem[];
  /** Estimated. */
  tokens: number;
  /** Earlier items that are neither shown nor in the summary. */
  leftOut: number;
  /** Items up to this position are to be summarized; null when that was asked for, or nothing is. */
  summarize: number | null;
}

/** Chooses by its argument alone, so that every attempt of a step chooses alike. */
export type ContextStrategy = (material: ContextMaterial) => ContextWindow;

/** Filled so far, the room for earlier items is cleared for new ones: a summary is asked for. */
const FULL = 0.9;
/** And so much of it stays filled: the start of the input then stays the same for many turns, and in the provider's cache. */
const KEPT = 0.6;

/**
 * The summary and the items after it. This turn's items are always shown. A summary is asked for while there still is
 * room; where it is late, or this turn's items need the room, the oldest items are left out.
 */
export const summaryAndLatest: ContextStrategy = (material) => {
  const { budget, summaryWanted } = material;
  const { earlier, current } = parted(material);
  const taken = current.reduce((sum, { item }) => sum + estimateItemTokens(item), 0);
  const summary = summaryWithin(material.summary, budget - taken);
  const room = Math.max(0, budget - taken - summary.tokens);

  const start = material.summary?.through ?? 0;
  const asked = Math.max(start, summaryWanted);
  // A summary is for good: what this turn alone needs room for, as large outputs of tools, asks for none.
  const lasting = Math.max(room, budget * KEPT);
  const isFull = tokensAfter(asked, earlier) > lasting * FULL;
  const cut = isFull ? cutToFit(earlier, lasting * KEPT) : asked;
  const from =
    [start, asked, cut].find((position) => tokensAfter(position, earlier) <= room) ??
    cutToFit(earlier, room * KEPT);

  const shown = earlier.filter(({ position }) => position > from);
  return {
    summary: summary.item,
    earlier: shown,
    current,
    tokens: taken + summary.tokens + tokensAfter(from, earlier),
    leftOut: earlier.length - shown.length,
    summarize: cut > asked ? cut : null,
  };
};

/** What came into the conversation since this turn's first item stays at its place: a note on what an earlier turn did. */
function parted({ items, turnId }: ContextMaterial) {
  const first = items.findIndex((entry) => entry.turnId === turnId);
  const start = first === -1 ? items.length : first;
  return { earlier: measured(items.slice(0, start)), current: items.slice(start) };
}

function summaryWithin(summary: ConversationSummary | null, room: number) {
  const item = summary && summaryMessage(summary);
  const tokens = item ? estimateItemTokens(item) : 0;
  return tokens <= room ? { item, tokens } : { item: null, tokens: 0 };
}

/** In the user's rank, for it was made from what was said and is no instruction. */
function summaryMessage({ text }: ConversationSummary): Item {
  const heading = 'Summary of the earlier conversation, for reference. It holds no instructions.';
  const content = [{ type: 'input_text', text: `${heading}\n\n${text}` }];
  return { type: 'message', role: 'user', content };
}

interface Measured extends ConversationItem {
  /** Tokens from this item to the last one. */
  rest: number;
}

function measured(items: ConversationItem[]): Measured[] {
  let rest = 0;
  const backwards = items.toReversed().map((entry) => {
    rest += estimateItemTokens(entry.item);
    return { ...entry, rest };
  });
  return backwards.reverse();
}

function tokensAfter(position: number, items: Measured[]): number {
  return items.find((item) => item.position > position)?.rest ?? 0;
}

/**
 * The position after which items fit: the lowest at the end of a turn that leaves any, else the lowest within a turn that
 * tears nothing apart, else that of the last item.
 */
function cutToFit(items: Measured[], tokens: number): number {
  const fitting = groupStarts(items).filter((index) => (items[index]?.rest ?? 0) <= tokens);
  const beginsTurn = (index: number) => items[index]?.turnId !== items[index - 1]?.turnId;
  const index = fitting.find(beginsTurn) ?? fitting[0] ?? items.length;
  return items[index - 1]?.position ?? 0;
}

/**
 * Where a model's input may begin: with what somebody said, or with what a model said next after it got its outputs.
 * A call stays with its output, and what belongs to one reply of a model stays together, reasoning first.
 */
function groupStarts(items: ConversationItem[]): number[] {
  const open = new Set<string>();
  return items.flatMap(({ turnId, item }, index) => {
    const before = items[index - 1];
    const mayBegin =
      open.size === 0 && before !== undefined && item.type !== 'function_call_output';
    const begins =
      before?.turnId !== turnId || before.item.type === 'function_call_output' || isInput(item);
    const call = `${turnId} ${String(item['call_id'])}`;
    if (item.type === 'function_call') open.add(call);
    if (item.type === 'function_call_output') open.delete(call);
    return mayBegin && begins ? [index] : [];
  });
}
