import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Turnkeeper } from '../../src/client/client.ts';
import type { Accepted, Store, Turn } from '../../src/contracts/store.ts';
import type { TurnInput } from '../../src/contracts/turn.ts';
import { heal } from '../../src/recovery/heal.ts';
import { sealAndHandOver, startAccepted, type Recovery } from '../../src/recovery/recovery.ts';
import { RecordingStarter } from '../client/recording-starter.ts';
import { newTalk, startWorld, type Talk, type World } from '../client/world.ts';

let world: World;
let client: Turnkeeper;
let starter: RecordingStarter;
let parts: Recovery;
let talk: Talk;

beforeAll(async () => {
  world = await startWorld();
  ({ client } = world.client());
});
afterAll(() => world.stop());

beforeEach(async () => {
  starter = new RecordingStarter();
  parts = { store: world.store, starter, logger: world.logger };
  talk = await newTalk(client);
});

const get = (turn: Turn) => world.store.turns.get('default', turn.id);

async function accept(): Promise<{ turn: Turn; input: TurnInput }> {
  const items = [{ type: 'message', role: 'user', content: 'Hello' }];
  const accepted: Accepted = await world.store.turns.accept('default', { ...talk, items });
  if (accepted.kind === 'busy') throw new Error('The conversation is held.');
  return accepted;
}

async function start(): Promise<{ turn: Turn; input: TurnInput }> {
  const { turn, input } = await accept();
  await startAccepted(world.store, starter, input);
  return { turn: await get(turn), input };
}

async function passDeadline({ id }: Turn, seconds: number): Promise<Turn> {
  await world.sql(
    "UPDATE turnkeeper.turns SET deadline = now() - $2 * interval '1 second' WHERE id = $1",
    [id, seconds],
  );
  return await world.store.turns.get('default', id);
}

async function queueBehind(): Promise<TurnInput> {
  const items = [{ type: 'message', role: 'user', content: 'And then?' }];
  const whenBusy = { policy: 'enqueue', maxQueued: 20 } as const;
  const accepted = await world.store.turns.accept('default', { ...talk, items, whenBusy });
  if (accepted.kind === 'busy') throw new Error('The conversation is held.');
  return accepted.input;
}

describe('healing a turn', () => {
  it('starts one that was accepted only', async () => {
    const { turn, input } = await accept();
    expect(await heal(parts, 'default', turn, input)).toBe(false);
    expect(starter.started).toEqual([input]);
    expect(await get(turn)).toMatchObject({ state: 'started' });
  });

  it('leaves one that was accepted only to the sweep when its input is not at hand', async () => {
    const { turn } = await accept();
    expect(await heal(parts, 'default', turn)).toBe(false);
    expect(await get(turn)).toMatchObject({ state: 'accepted' });
  });

  it('leaves one alone whose workflow is running', async () => {
    const { turn, input } = await start();
    expect(await heal(parts, 'default', turn, input)).toBe(false);
    expect(await get(turn)).toEqual(turn);
  });

  it.each([
    ['closed', /has closed/],
    ['not_found', /does not exist/],
  ] as const)('ends one whose workflow is %s, as lost', async (state, message) => {
    const { turn, input } = await start();
    starter.states.set(turn.id, state);
    expect(await heal(parts, 'default', turn, input)).toBe(true);
    const sealed = await get(turn);
    expect(sealed).toMatchObject({ state: 'sealed', status: 'failed', reason: 'workflow_lost' });
    expect(sealed.message).toMatch(message);
    expect(starter.started).toHaveLength(1);
  });

  it('believes the row when the workflow closed because it had ended the turn', async () => {
    const { turn, input } = await start();
    await world.store.turns.seal('default', turn.id, { status: 'completed' });
    starter.states.set(turn.id, 'closed');
    expect(await heal(parts, 'default', turn, input)).toBe(true);
    expect(await get(turn)).toMatchObject({ status: 'completed' });
  });

  it('does nothing when Temporal cannot be asked', async () => {
    const { turn, input } = await start();
    starter.states.set(turn.id, 'not_found');
    starter.away = true;
    expect(await heal(parts, 'default', turn, input)).toBe(false);
    expect(await get(turn)).toEqual(turn);
    expect(world.logs.at(-1)).toMatchObject({ level: 'warn', fields: { turnId: turn.id } });
  });

  it('says of a sealed turn that it is sealed, and asks nobody', async () => {
    const { turn, input } = await start();
    await world.store.turns.seal('default', turn.id, { status: 'completed' });
    expect(await heal(parts, 'default', await get(turn), input)).toBe(true);
    expect(starter.asked).toEqual([]);
  });
});

describe('healing a turn past its deadline', () => {
  it('ends it a minute later, whatever Temporal says, and terminates its workflow', async () => {
    const { turn, input } = await start();
    const late = await passDeadline(turn, 61);
    expect(await heal(parts, 'default', late, input)).toBe(true);
    expect(await get(turn)).toMatchObject({ status: 'expired' });
    expect(starter.terminated).toEqual([turn.id]);
    expect(starter.asked).toEqual([]);
  });

  it('leaves it the minute', async () => {
    const { turn, input } = await start();
    const late = await passDeadline(turn, 50);
    expect(await heal(parts, 'default', late, input)).toBe(false);
    expect(await get(turn)).toMatchObject({ state: 'started' });
  });

  it('ends it also when Temporal is away', async () => {
    const { turn, input } = await start();
    const late = await passDeadline(turn, 61);
    starter.away = true;
    expect(await heal(parts, 'default', late, input)).toBe(true);
    expect(await get(turn)).toMatchObject({ status: 'expired' });
  });

  it('goes by the clock of the database', async () => {
    const { turn, input } = await start();
    // As seen by a host whose clock is far ahead.
    const seen = { ...turn, deadline: new Date(0) };
    expect(await heal(parts, 'default', seen, input)).toBe(false);
    expect(await get(turn)).toMatchObject({ state: 'started' });
    expect(starter.terminated).toEqual([]);
  });

  it('does not terminate the workflow of a turn that ended otherwise meanwhile', async () => {
    const { turn, input } = await start();
    const late = await passDeadline(turn, 61);
    await world.store.turns.seal('default', turn.id, { status: 'completed' });
    expect(await heal(parts, 'default', late, input)).toBe(true);
    expect(starter.terminated).toEqual([]);
  });
});

describe('ending a turn that another one waits for', () => {
  it('starts the next one', async () => {
    const first = await start();
    const next = await queueBehind();
    await sealAndHandOver(parts, 'default', first.turn.id, { status: 'cancelled' });
    expect(starter.startedIds()).toEqual([first.turn.id, next.turnId]);
    expect(await world.store.turns.get('default', next.turnId)).toMatchObject({ state: 'started' });
  });

  it('starts it again when the one who ended the first died before that', async () => {
    const first = await start();
    const next = await queueBehind();
    await world.store.turns.seal('default', first.turn.id, { status: 'completed' });
    await sealAndHandOver(parts, 'default', first.turn.id, { status: 'completed' });
    expect(starter.startedIds()).toEqual([first.turn.id, next.turnId]);
  });

  it('leaves the next one to the sweep when Temporal is away', async () => {
    const first = await start();
    const next = await queueBehind();
    starter.away = true;
    const sealed = await sealAndHandOver(parts, 'default', first.turn.id, { status: 'cancelled' });
    expect(sealed).toMatchObject({ won: true });
    expect(await world.store.turns.get('default', next.turnId)).toMatchObject({
      state: 'accepted',
    });
  });
});

describe('starting an accepted turn', () => {
  it('does not mark it as started when Temporal did not take it', async () => {
    const { turn, input } = await accept();
    starter.away = true;
    await expect(startAccepted(world.store, starter, input)).rejects.toThrow('Temporal is away');
    expect(await get(turn)).toMatchObject({ state: 'accepted' });
  });

  it('leaves a turn alone that was sealed meanwhile', async () => {
    const { turn, input } = await accept();
    const store: Store = world.store;
    await store.turns.seal('default', turn.id, { status: 'cancelled' });
    await startAccepted(store, starter, input);
    expect(await get(turn)).toMatchObject({ state: 'sealed', status: 'cancelled' });
  });
});
