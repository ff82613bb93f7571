import { effectsNote } from '../conversation/effects.ts';
import { errorOutput } from '../conversation/tool-output.ts';
import { isInput } from '../conversation/items.ts';
import type { Item } from '../contracts/json.ts';
import type { Effect, EffectOutcome } from '../contracts/store.ts';
import type { AppendedItem } from './append-items.ts';
import type { Queryable } from './database.ts';
import { readEffects } from './effects.ts';

interface Row {
  item: Item;
  created_at: Date;
  /** From before the turn's first reply: what it was given, or an earlier one that it took the place of. */
  given: boolean;
  /** Of a reply that went on with its calls. */
  called: boolean;
}

/**
 * What a retry goes on from: the input, finished replies that called tools, and what came of the calls. Replies that were
 * to be the answer, or broke off, are made anew.
 */
export async function itemsThatHold(tx: Queryable, turnId: string): Promise<AppendedItem[]> {
  const [rows, effects] = [await readItems(tx, turnId), await readEffects(tx, turnId)];
  const undone = effects.filter(({ outcome }) => outcome === 'undone').map(({ callId }) => callId);
  const held = rows.filter(({ given, called }) => given || called);
  const calls = new Set(held.map(({ item }) => item['call_id']));
  const holds = (row: Row) =>
    held.includes(row) || (isOutput(row.item) && calls.has(row.item['call_id']));
  const copies = rows.filter(holds).map(({ item, created_at: createdAt }) => ({
    item: isOutput(item) && undone.includes(String(item['call_id'])) ? undoneOutput(item) : item,
    createdAt,
  }));
  return [...copies, ...noteOn(effects, ['unknown', 'not_undone'])];
}

/** What a turn begins with whose answer is to be another one. */
export async function itemsAfresh(tx: Queryable, turnId: string): Promise<AppendedItem[]> {
  const rows = await readItems(tx, turnId);
  const effects = await readEffects(tx, turnId);
  const copies = rows
    .filter(({ given, item }) => given && isInput(item))
    .map(({ item, created_at: createdAt }) => ({ item, createdAt }));
  if (copies.length === 0) return [];
  return [...copies, ...noteOn(effects, ['unknown', 'not_undone', 'undoing'])];
}

function readItems(tx: Queryable, turnId: string): Promise<Row[]> {
  return tx.query(
    `SELECT i.item, i.created_at,
       NOT EXISTS (
         SELECT 1 FROM turnkeeper.items b
         WHERE b.turn_id = $1 AND b.step_key IS NOT NULL AND b.position <= i.position) AS given,
       coalesce(s.kind = 'respond' AND s.status = 'completed' AND s.result ->> 'kind' = 'calls', false) AS called
     FROM turnkeeper.items i LEFT JOIN turnkeeper.steps s ON s.turn_id = i.turn_id AND s.key = i.step_key
     WHERE i.turn_id = $1 AND i.superseded_by IS NULL ORDER BY i.position`,
    [turnId],
  );
}

function isOutput({ type }: Item): boolean {
  return type === 'function_call_output';
}

function undoneOutput(item: Item): Item {
  const message =
    'This took effect and was undone since; it is not in effect. Call it again if it is still wanted.';
  return { ...item, output: errorOutput({ type: 'undone', message }) };
}

/** In place of the notes on the turn before, whose outputs were not changed. */
function noteOn(effects: Effect[], outcomes: EffectOutcome[]): AppendedItem[] {
  const told = effects.filter(({ outcome }) => outcomes.includes(outcome));
  return told.length > 0 ? [{ item: effectsNote(told), createdAt: null }] : [];
}

/** No model is shown the items of the one turn any more: the other has taken its place. */
export async function supersede(tx: Queryable, turnId: string, by: string): Promise<void> {
  await tx.query(
    'UPDATE turnkeeper.items SET superseded_by = $2 WHERE turn_id = $1 AND superseded_by IS NULL',
    [turnId, by],
  );
}
