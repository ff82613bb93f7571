import { describe, expect, it, vi } from 'vitest';
import type { Item } from '../../src/contracts/json.ts';
import { answer, callOf, createsOf, newTalk, resultOf, say, SOON } from '../support/talk.ts';
import { endOf, inputOf, runTurn, useWorld } from '../support/turns.ts';
import type { World } from '../support/world.ts';

const world = useWorld();

async function insertItem(
  { sql }: World,
  conversationId: string,
  position: number,
  item: Item,
): Promise<void> {
  await sql(
    `INSERT INTO turnkeeper.items (conversation_id, position, type, call_id, item) VALUES ($1, $2, $3, $4, $5)`,
    [conversationId, position, item.type, item['call_id'] ?? null, JSON.stringify(item)],
  );
}

describe('a conversation whose rows were broken by hand', { timeout: 120_000 }, () => {
  it('goes on, with a step that says what the model was not shown as it is stored', async () => {
    const { current } = world;
    const talk = await newTalk(current, { tools: ['touch'] });
    await current.offline.script([callOf('touch'), answer('Touched.')]);
    await resultOf(current, await say(current, talk));
    const { conversationId } = talk;
    await current.sql(
      `DELETE FROM turnkeeper.items WHERE conversation_id = $1 AND type = 'function_call_output'`,
      [conversationId],
    );
    // Positions from 1,000 on are after all that a turn has stored.
    const orphan: Item = { type: 'function_call_output', call_id: 'call_nobody', output: '1' };
    const thought: Item = { type: 'reasoning', id: 'rs_1', summary: [] };
    const hologram: Item = { type: 'hologram', id: 'h' };
    for (const [index, item] of [orphan, thought, hologram].entries())
      await insertItem(current, conversationId, 1_000 + index, item);
    await current.sql('UPDATE turnkeeper.conversations SET next_position = 2000 WHERE id = $1', [
      conversationId,
    ]);
    await current.offline.script([answer('And on it goes.')]);
    const turn = await say(current, talk, 'Go on, please.');
    const ended = await endOf(current, { id: turn.id, conversationId });
    expect(ended).toMatchObject({ status: 'completed', answer: 'And on it goes.' });
    expect(inputOf(ended.requests[0]).map(({ type }) => type)).toEqual([
      ...['message', 'function_call', 'function_call_output', 'message', 'message'],
    ]);
    const step = ended.steps.find(({ kind }) => kind === 'repair');
    expect(step).toMatchObject({ key: 'repair:1', status: 'completed', error: null });
    expect(step?.repairs).toEqual({
      total: 4,
      listed: [
        { rule: 'call_without_output', position: 2 },
        { rule: 'output_without_call', position: 1_000 },
        { rule: 'reasoning_alone', position: 1_001 },
        { rule: 'unusable_item', position: 1_002 },
      ],
    });
    await vi.waitFor(() => {
      const lines = world.log.filter(
        ({ msg, message, turn: of }) => (msg ?? message) === 'history repaired' && of === turn.id,
      );
      expect(lines).toMatchObject([{ repairs: 4, rules: { call_without_output: 1 } }]);
    }, SOON);
  });

  it('is not changed by that: what is stored stays stored', async () => {
    const { current } = world;
    const talk = await newTalk(current);
    await insertItem(current, talk.conversationId, 1, { type: 'hologram' });
    await current.sql('UPDATE turnkeeper.conversations SET next_position = 2 WHERE id = $1', [
      talk.conversationId,
    ]);
    await current.offline.script([answer('Yes.')]);
    expect(await resultOf(current, await say(current, talk))).toMatchObject({
      status: 'completed',
    });
    expect(await createsOf(current)).toHaveLength(1);
    const { data } = await current.turnkeeper.conversations.items(talk.conversationId);
    expect(data.map(({ item }) => item.type)).toEqual(['hologram', 'message', 'message']);
  });
});

describe('an ordinary turn', { timeout: 60_000 }, () => {
  it('has no repair', async () => {
    const { steps } = await runTurn(world.current, {
      assistant: { tools: ['touch'] },
      script: [callOf('touch'), answer('Touched.')],
    });
    expect(steps.map(({ kind }) => kind)).toEqual(['respond', 'tool', 'respond']);
  });
});
