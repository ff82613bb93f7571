import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Turnkeeper } from '../../src/client/client.ts';
import type { Turn } from '../../src/contracts/store.ts';
import type { RecordingStarter } from './recording-starter.ts';
import { callTool, expectRefused, newTalk, startWorld, type World } from './world.ts';

let world: World;
let client: Turnkeeper;
let starter: RecordingStarter;

beforeAll(async () => {
  world = await startWorld();
  ({ client, starter } = world.client());
});
afterAll(() => world.stop());

async function startTurn(by: Turnkeeper): Promise<Turn> {
  return await by.turns.start({ ...(await newTalk(by)), input: 'Hello' });
}

describe('having a turn undone', () => {
  /** A turn under way whose one tool call took effect and can be undone. */
  async function afterEffect(parts = { client, starter }): Promise<Turn> {
    const turn = await startTurn(parts.client);
    await callTool(world.store, turn);
    parts.starter.onCancel = async (id) => {
      await world.store.turns.seal('default', id, { status: 'cancelled' });
    };
    return turn;
  }

  it('with its cancellation requests that as it is sealed', async () => {
    const turn = await afterEffect();
    const cancelled = await client.turns.cancel(turn.id, { compensate: true });
    expect(cancelled).toMatchObject({ status: 'cancelled', compensation: 'requested' });
    const { effects } = await client.turns.result(turn.id);
    const message = 'book is being undone. Look again in a while before you rely on it.';
    expect(effects).toEqual([{ callId: 'a', tool: 'book', outcome: 'undoing', message }]);
  });

  it('is remembered when whoever cancels it cannot reach Temporal', async () => {
    const parts = world.client();
    const turn = await afterEffect(parts);
    parts.starter.away = true;
    const cancelling = parts.client.turns.cancel(turn.id, { compensate: true });
    await expectRefused(cancelling, 'temporal_unreachable', /away/);
    await world.store.turns.seal('default', turn.id, { status: 'completed' });
    expect(await client.turns.get(turn.id)).toMatchObject({ compensation: 'requested' });
  });

  it('is started for a turn that has ended, and left to the sweep without Temporal', async () => {
    const parts = world.client();
    const turn = await afterEffect(parts);
    expect(await parts.client.turns.cancel(turn.id)).toMatchObject({ compensation: null });
    expect((await client.turns.result(turn.id)).effects).toMatchObject([{ outcome: 'done' }]);
    const turnId = turn.id;
    const { turns } = parts.client;
    const answers = await Promise.all([turns.compensate(turnId), turns.compensate(turnId)]);
    answers.push(await turns.cancel(turnId, { compensate: true }));
    for (const asked of answers)
      expect(asked).toMatchObject({ status: 'cancelled', compensation: 'requested' });
    expect(parts.starter.compensated).toEqual(Array(3).fill({ tenant: 'default', turnId }));
    parts.starter.away = true;
    expect(await parts.client.turns.compensate(turnId)).toMatchObject({ id: turnId });
  });

  it('is asked for in no other words', async () => {
    const turn = await startTurn(client);
    for (const [options, message] of [
      [{ compensate: 'yes' }, /^compensate must be true or false/],
      [{ undo: true }, /^undo is not a known field/],
    ] as const) {
      const cancelling = client.turns.cancel(turn.id, options as object);
      await expectRefused(cancelling, 'invalid_request', message);
    }
    expect(await client.turns.get(turn.id)).toMatchObject({ state: 'started' });
  });
});
