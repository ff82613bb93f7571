import type { Item } from '../contracts/json.ts';
import type { Effect, EffectOutcome, Source, Turn, Usage } from '../contracts/store.ts';
import type { FinalStatus } from '../contracts/turn.ts';
import { effectMessage } from '../conversation/effects.ts';
import { isInput } from '../conversation/items.ts';
import type { Parts } from './parts.ts';
import { checkWait, waitFor, type WaitOptions } from './waiting.ts';
import { watchTurn } from './watch-turn.ts';

/** How a turn ended and what came of it. */
export interface TurnResult {
  turn: Turn;
  status: FinalStatus;
  /** Why it ended so, unless completed. */
  reason: string | null;
  /** Text of the turn's last assistant message, empty when there is none. */
  answer: string;
  /** The turn's items but its input: messages, calls, outputs, reasoning, in order. */
  output: Item[];
  /** Passages that the model was given. */
  sources: Source[];
  usage: Usage;
  /**
   * Tool calls of this turn that took effect, or may have, in order. Those that a retry goes on from are effects of the turn
   * that `turn.origin` names.
   */
  effects: TurnEffect[];
}

export interface TurnEffect {
  callId: string;
  tool: string;
  outcome: EffectOutcome;
  /** What happened and what is left to do, for the end user. */
  message: string;
}

/** Waits for the end of a turn and gathers what came of it. */
export async function turnResult(
  parts: Parts,
  turnId: string,
  options: WaitOptions,
): Promise<TurnResult> {
  checkWait(options, '');
  const look = watchTurn(parts, turnId);
  return await waitFor(async () => {
    const turn = await look();
    return turn.state === 'sealed' ? await gather(parts, turn) : null;
  }, options);
}

async function gather(parts: Parts, turn: Turn): Promise<TurnResult> {
  const { store, tenant } = parts;
  const [output, sources, usage, effects] = await Promise.all([
    outputItems(parts, turn),
    store.turns.sources(tenant, turn.id),
    store.turns.usage(tenant, turn.id),
    store.compensations.outcomes(tenant, turn.id),
  ]);
  const { status, reason } = turn;
  return {
    turn,
    status: status as FinalStatus,
    reason,
    answer: answerText(output),
    output,
    sources,
    usage,
    effects: effects.map(toTurnEffect),
  };
}

function toTurnEffect(effect: Effect): TurnEffect {
  const { callId, tool, outcome } = effect;
  return { callId, tool, outcome, message: effectMessage(effect) };
}

async function outputItems({ store, tenant }: Parts, turn: Turn): Promise<Item[]> {
  const items: Item[] = [];
  let cursor: string | null = null;
  do {
    const page: { limit: number; cursor?: string } = { limit: 100, ...(cursor ? { cursor } : {}) };
    const { data, nextCursor } = await store.conversations.items(
      tenant,
      turn.conversationId,
      { turnId: turn.id, superseded: true },
      page,
    );
    items.push(...data.map(({ item }) => item));
    cursor = nextCursor;
  } while (cursor);
  return items.filter((item) => !isInput(item));
}

function answerText(output: Item[]): string {
  const content = output.findLast(({ type }) => type === 'message')?.content;
  return Array.isArray(content) ? content.map(outputText).join('') : '';
}

function outputText(part: unknown): string {
  const { type, text } = (part ?? {}) as Record<string, unknown>;
  return type === 'output_text' && typeof text === 'string' ? text : '';
}
