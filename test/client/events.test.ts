import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Turnkeeper } from '../../src/client/client.ts';
import type { StartTurn } from '../../src/client/start-turn.ts';
import { LEAVE_MS, type Store, type Turn, type TurnEvent } from '../../src/contracts/store.ts';
import {
  answer,
  assistantMessage,
  beginRespond,
  expectRefused,
  newTalk,
  startWorld,
  type World,
} from './world.ts';

const FAR = 1_000;

let world: World;
let client: Turnkeeper;

beforeAll(async () => {
  world = await startWorld();
  ({ client } = world.client());
});
afterAll(() => world.stop());

async function startTurn(onDisconnect?: StartTurn['onDisconnect']): Promise<Turn> {
  const talk = await newTalk(client);
  return client.turns.start({ ...talk, input: 'Hello', ...(onDisconnect && { onDisconnect }) });
}

async function collect(events: AsyncIterable<TurnEvent>): Promise<TurnEvent[]> {
  const all: TurnEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** A client whose store counts the looks of its readers and what they say of themselves. */
function watched(over: Partial<Store['events']> = {}) {
  const events = { ...world.store.events, ...over };
  const spies = {
    read: vi.fn(events.read),
    attend: vi.fn(events.attend),
    leave: vi.fn(events.leave),
  };
  const store = { ...world.store, events: { ...events, ...spies } };
  return { ...world.client({ store }), ...spies };
}

describe('reading behind the last event', () => {
  it('ends at once when the turn has ended', async () => {
    const turn = await startTurn();
    await answer(world.store, turn, [assistantMessage('Hi')]);
    const last = (await collect(client.turns.events(turn.id))).at(-1)?.number ?? 0;
    expect(await collect(client.turns.events(turn.id, { after: last }))).toEqual([]);
  });

  it('is refused beyond it, while the turn runs and when it has ended', async () => {
    const turn = await startTurn();
    const beyond = () => collect(client.turns.events(turn.id, { after: FAR }));
    await expectRefused(beyond(), 'invalid_request', /has no event 1000: its last is 1/);
    await answer(world.store, turn, [assistantMessage('Hi')]);
    await expectRefused(beyond(), 'invalid_request', /has no event 1000/);
  });

  it('goes on with what comes', async () => {
    const turn = await startTurn();
    const { client: reader, read } = watched();
    const reading = collect(reader.turns.events(turn.id, { after: 1 }));
    await vi.waitFor(() => expect(read.mock.calls.length).toBeGreaterThan(1));
    await answer(world.store, turn, [assistantMessage('Hi')]);
    expect((await reading).map(({ number }) => number)).toEqual([2, 3, 4, 5]);
  });

  it.each([-1, 1.5, NaN, 2 ** 53, '3', null])('is refused from %s', async (after) => {
    const turn = await startTurn();
    const reading = collect(client.turns.events(turn.id, { after: after as number }));
    await expectRefused(reading, 'invalid_request', /^after must be an integer/);
  });
});

describe('a reader that stops', () => {
  it('gets none of the events that were already fetched', async () => {
    const turn = await startTurn();
    await answer(world.store, turn, [assistantMessage('Hi')]);
    const abort = new AbortController();
    const reader = client.turns.events(turn.id, { signal: abort.signal })[Symbol.asyncIterator]();
    expect((await reader.next()).value).toMatchObject({ number: 1 });
    abort.abort(new Error('enough'));
    await expect(reader.next()).rejects.toThrow('enough');
  });

  it('does so at once, also while the database hangs', async () => {
    const turn = await startTurn();
    const hangs = () => new Promise<never>(() => undefined);
    const { client: reader, read } = watched({ read: hangs });
    const abort = new AbortController();
    const reading = collect(reader.turns.events(turn.id, { signal: abort.signal }));
    await vi.waitFor(() => expect(read).toHaveBeenCalled());
    abort.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
  });
});

describe('a reader of a turn that ends without readers', () => {
  it('says that it is there, and that it has left', async () => {
    const turn = await startTurn({ cancelAfterMs: 60_000 });
    const { client: reader, attend, leave } = watched();
    const events = reader.turns.events(turn.id)[Symbol.asyncIterator]();
    await events.next();
    await vi.waitFor(() => expect(attend).toHaveBeenCalledWith('default', turn.id));
    expect(leave).not.toHaveBeenCalled();
    await events.return?.();
    await vi.waitFor(() => expect(leave).toHaveBeenCalledWith('default', turn.id));
  });

  it('goes on saying so while it takes its time over an event, and while others leave', async () => {
    const turn = await startTurn({ cancelAfterMs: 60_000 });
    const { client: slow, attend } = watched();
    const events = slow.turns.events(turn.id)[Symbol.asyncIterator]();
    await events.next();
    await world.store.events.leave('default', turn.id);
    const said = attend.mock.calls.length;
    // In time for the lease that the other one has cut.
    await vi.waitFor(() => expect(attend.mock.calls.length).toBeGreaterThan(said), {
      timeout: LEAVE_MS,
    });
    await events.return?.();
  });

  it('reads on when it cannot say so', async () => {
    const turn = await startTurn({ cancelAfterMs: 60_000 });
    const fails = () => Promise.reject(new Error('away'));
    const { client: reader, attend } = watched({ attend: fails, leave: fails });
    const reading = collect(reader.turns.events(turn.id));
    await vi.waitFor(() => expect(attend).toHaveBeenCalled());
    await answer(world.store, turn, [assistantMessage('Hi')]);
    expect(await reading).toHaveLength(5);
  });
});

describe('a turn that goes on without readers', () => {
  it.each([undefined, 'continue' as const])(
    'costs its readers nothing more (%s)',
    async (policy) => {
      const turn = await startTurn(policy);
      await beginRespond(world.store, turn);
      const { client: reader, attend, leave } = watched();
      const events = reader.turns.events(turn.id)[Symbol.asyncIterator]();
      await events.next();
      await events.return?.();
      expect(attend).not.toHaveBeenCalled();
      expect(leave).not.toHaveBeenCalled();
    },
  );
});

describe('what happens when nobody reads', () => {
  it('is part of the request that a key stands for', async () => {
    const talk = await newTalk(client);
    const request = { ...talk, input: 'Hello', idempotencyKey: 'k' };
    const turn = await client.turns.start(request);
    const again = await client.turns.start({ ...request, onDisconnect: 'continue' });
    expect(again.id).toBe(turn.id);
    const other = client.turns.start({ ...request, onDisconnect: { cancelAfterMs: 1_000 } });
    await expectRefused(other, 'idempotency_conflict', /./);
  });

  it.each([
    [{ cancelAfterMs: 999 }, /^onDisconnect.cancelAfterMs must be an integer of 1000 to 86400000/],
    [{ cancelAfterMs: 86_400_001 }, /^onDisconnect.cancelAfterMs must be/],
    [{ cancelAfterMs: '5000' }, /^onDisconnect.cancelAfterMs must be/],
    [{}, /^onDisconnect.cancelAfterMs is missing/],
    [{ cancelAfterMs: 5_000, soon: true }, /^onDisconnect.soon is not a known field/],
    ['cancel', /^onDisconnect must be "continue" or have cancelAfterMs/],
    [null, /^onDisconnect must be an object/],
  ])('is refused as %j', async (onDisconnect, message) => {
    const talk = await newTalk(client);
    const request = { ...talk, input: 'Hello', onDisconnect } as StartTurn;
    await expectRefused(client.turns.start(request), 'invalid_request', message);
    expect(await client.conversations.get(talk.conversationId)).toMatchObject({ activeTurn: null });
  });
});
