import { effectsNote } from '../conversation/effects.ts';
import type { Item, JsonObject } from '../contracts/json.ts';
import type { Effect, EffectOutcome, StepFailure, StepStatus } from '../contracts/store.ts';
import type { ToolOutcome } from '../contracts/turn.ts';
import { appendItems } from './append-items.ts';
import type { Queryable } from './database.ts';
import { insertOutput, reservePositions } from './settle.ts';

/**
 * Holds for a tool step `s` whose effect can be undone: one that is known, where a failed call's output was not usable, or
 * one of which nobody knows, where the tool says that this is safe.
 */
export const UNDOABLE = `s.kind = 'tool' AND s.compensable AND (
  s.outcome IN ('succeeded', 'failed') OR s.outcome = 'unknown' AND s.compensate_unknown)`;

interface EffectRow {
  call_id: string;
  tool_name: string;
  outcome: ToolOutcome | null;
  compensable: boolean;
  error: StepFailure | null;
  undoable: boolean;
  compensation: 'requested' | 'closed' | null;
  undoing: StepStatus | null;
  item: Item;
  edited_arguments: JsonObject | null;
}

/** Calls of a turn that took effect or may have, in the order of their steps. Those of an unknown tool never began. */
export async function readEffects(db: Queryable, turnId: string): Promise<Effect[]> {
  const rows = await db.query<EffectRow>(
    `SELECT s.call_id, s.tool_name, s.outcome, s.compensable, s.error, ${UNDOABLE} AS undoable,
       t.compensation, c.status AS undoing, i.item, a.edited_arguments
     FROM turnkeeper.turns t
     JOIN turnkeeper.steps s ON s.turn_id = t.id AND s.kind = 'tool' AND s.policy IS NOT NULL
     JOIN turnkeeper.items i ON i.turn_id = t.id AND i.call_id = s.call_id AND i.type = 'function_call'
     LEFT JOIN turnkeeper.actions a ON a.turn_id = t.id AND a.call_id = s.call_id
     LEFT JOIN turnkeeper.steps c ON c.turn_id = t.id AND c.kind = 'compensate' AND c.call_id = s.call_id
     WHERE t.id = $1 ORDER BY s.number`,
    [turnId],
  );
  return rows.filter(hadEffect).map(toEffect);
}

/**
 * Tells the conversation of the turn's effects with these outcomes, for its next model call: behind everything that has a
 * place already; and branches, of effects that are undone after the fork. The caller holds the locks on all of them.
 */
export async function noteEffects(
  tx: Queryable,
  turnId: string,
  outcomes: EffectOutcome[],
  branches: string[] = [],
): Promise<void> {
  const effects = await readEffects(tx, turnId);
  const told = effects.filter(({ outcome }) => outcomes.includes(outcome));
  if (told.length === 0) return;
  const items = [effectsNote(told)];
  const positions = await reservePositions(tx, turnId, items);
  await insertOutput(tx, { turnId, step: null }, positions, items);
  const copies = items.map((item) => ({ item, createdAt: null }));
  if (branches.length === 0) return;
  await appendItems(tx, { conversationIds: branches, turnId: null, noteOn: turnId }, copies);
}

/** A call that failed did nothing, unless only its output was not usable. */
function hadEffect({ outcome, compensable, error }: EffectRow): boolean {
  if (outcome === 'failed') return compensable || error?.reason === 'invalid_output';
  return outcome !== null;
}

function toEffect(row: EffectRow): Effect {
  return {
    callId: row.call_id,
    tool: row.tool_name,
    arguments: argumentsOf(row),
    outcome: outcomeOf(row),
    known: row.outcome !== 'unknown',
  };
}

/** As the tool was given them, JSON text: as the model gave them, unless whoever approved the call has changed them. */
export function argumentsOf(row: { item: Item; edited_arguments: JsonObject | null }): string {
  if (row.edited_arguments) return JSON.stringify(row.edited_arguments);
  return String(row.item['arguments'] || '{}');
}

function outcomeOf({ outcome, undoing, undoable, compensation }: EffectRow): EffectOutcome {
  if (undoing === 'completed') return 'undone';
  if (undoing === 'failed' || undoing === 'closed') return 'not_undone';
  if (undoable && compensation === 'requested') return 'undoing';
  return outcome === 'unknown' ? 'unknown' : 'done';
}
