import { expect, vi } from 'vitest';
import { compensationId } from '../../src/contracts/starter.ts';
import type { Step, Turn } from '../../src/contracts/store.ts';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { callOf, effectsOf, newTalk, say, SOON, type Talk } from './talk.ts';
import type { World } from './world.ts';

/** Fails a turn for good. */
export const REFUSAL: ScriptStep = { kind: 'error', status: 400 };

/** A turn that calls these tools, one round each, and then does what the last step says. */
export async function turnOf(
  world: World,
  tools: string[],
  last: ScriptStep = REFUSAL,
): Promise<{ talk: Talk; turn: Turn }> {
  const talk = await newTalk(world, { tools });
  await world.offline.script([...tools.map((tool) => callOf(tool)), last]);
  return { talk, turn: await say(world, talk) };
}

/** Waits until the turn's compensation is closed; answers its steps, in the order they were begun. */
export async function compensationOf({ turnkeeper }: World, { id }: Turn): Promise<Step[]> {
  await vi.waitFor(async () => {
    expect(await turnkeeper.turns.get(id)).toMatchObject({ compensation: 'closed' });
  }, SOON);
  return (await turnkeeper.turns.steps(id)).filter(({ kind }) => kind === 'compensate');
}

/** What was undone, in order, a try each; each tool always under one key of its own. */
export function undoingsOf(world: World, turn: Turn): string[] {
  const undoings = effectsOf(world, turn).filter(({ tool }) => tool.startsWith('undo '));
  for (const { tool, key } of undoings)
    expect(key).toBe(`${turn.id}:compensate:call_${tool.replace('undo ', '')}`);
  return undoings.map(({ tool }) => tool);
}

/** What the conversation was told of effects, a text a note. */
export async function notesOf({ turnkeeper }: World, { conversationId }: Talk): Promise<string[]> {
  const { data } = await turnkeeper.conversations.items(conversationId, { limit: 100 });
  const notes = data.filter(({ item }) => item['role'] === 'developer');
  return notes.map(({ item }) => (item['content'] as [{ text: string }])[0].text);
}

/** How Temporal says that the compensation has closed, once it has. */
export async function compensationClosedAs({ temporal }: World, { id }: Turn): Promise<string> {
  const handle = temporal.workflow.getHandle(compensationId(id));
  await handle.result().catch(() => undefined);
  return (await handle.describe()).status.name;
}

/** Lets the compensation of this call have one attempt left, as nine have gone by. */
export async function leaveOneAttempt({ sql }: World, { id }: Turn, tool: string): Promise<void> {
  await vi.waitFor(async () => {
    const failedOnce = await sql(
      `UPDATE turnkeeper.steps SET attempts = 9
       WHERE turn_id = $1 AND key = $2 AND status = 'open' AND attempts > 0 RETURNING 1`,
      [id, `compensate:call_${tool}`],
    );
    expect(failedOnce).toHaveLength(1);
  }, SOON);
}
