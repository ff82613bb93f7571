import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AddItems } from '../../src/client/add-items.ts';
import type { Turnkeeper } from '../../src/client/client.ts';
import type { StartTurn } from '../../src/client/start-turn.ts';
import type { AcceptTurn, Turn } from '../../src/contracts/store.ts';
import { queueChore } from '../../src/recovery/queues.ts';
import { sealAndHandOver } from '../../src/recovery/recovery.ts';
import type { RecordingStarter } from './recording-starter.ts';
import {
  answer,
  assistantMessage,
  expectRefused,
  newTalk,
  startWorld,
  type Talk,
  type World,
} from './world.ts';

const SECOND = 1_000;
const SOON = { timeout: 10_000, interval: 20 };

let world: World;
let client: Turnkeeper;
let starter: RecordingStarter;
let talk: Talk;

beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.stop());

beforeEach(async () => {
  // What tests before left is for none of these sweeps.
  await world.sql("UPDATE turnkeeper.turns SET state = 'sealed' WHERE state <> 'sealed'");
  await world.sql('DELETE FROM turnkeeper.queue');
  ({ client, starter } = world.client({ limits: { maxQueuedTurns: 2 } }));
  talk = await newTalk(client);
});

const start = (input: string, whenBusy?: StartTurn['whenBusy'], more: Partial<StartTurn> = {}) =>
  client.turns.start({ ...talk, input, ...(whenBusy && { whenBusy }), ...more });
const get = ({ id }: Turn) => client.turns.get(id);
const end = (turn: Turn) => answer(world.store, turn, [assistantMessage('Done.')]);
const sweep = () => queueChore({ store: world.store, starter, logger: world.logger }).run();

/** A turn under way, of which Temporal knows no more. */
async function deadTurn(): Promise<Turn> {
  const turn = await start('dead');
  starter.states.set(turn.id, 'closed');
  return turn;
}

function age({ id }: Turn, column: string, ms: number): Promise<void> {
  const when = "now() - $2 * interval '1 millisecond'";
  return world.sql(`UPDATE turnkeeper.turns SET ${column} = ${when} WHERE id = $1`, [id, ms]);
}

describe('what to do when the conversation is held', () => {
  it('is one of three words', async () => {
    await expectRefused(start('x', 'wait' as 'enqueue'), 'invalid_request', /whenBusy/);
  });

  it('is to refuse unless said otherwise, and saying so is the same request', async () => {
    const key = { idempotencyKey: 'k' };
    const first = await start('x', undefined, key);
    expect(await start('x', 'reject', key)).toMatchObject({ id: first.id });
    await expectRefused(start('y', 'reject'), 'conversation_busy', /is held by turn/);
    await expectRefused(start('x', 'enqueue', key), 'idempotency_conflict', /another request/);
  });

  it('is told by an error of its own when too many wait', async () => {
    const first = await start('1');
    await start('2', 'enqueue');
    await client.conversations.addItems(talk.conversationId, {
      items: [{ role: 'user', content: '3' }],
      whenBusy: 'enqueue',
    });
    await expect(start('4', 'enqueue')).rejects.toMatchObject({
      code: 'queue_full',
      details: { activeTurn: first.id, limit: 'maxQueuedTurns', max: 2 },
    });
  });

  it('is tried again when too many wait for a dead turn', async () => {
    const dead = await deadTurn();
    await start('2', 'enqueue');
    await start('3', 'enqueue');
    expect(await start('4', 'enqueue')).toMatchObject({ state: 'queued' });
    expect(await get(dead)).toMatchObject({ reason: 'workflow_lost' });
  });
});

describe('a turn that waits', () => {
  it('is answered as it is, and started when the turn before it ends', async () => {
    const first = await start('1');
    const second = await start('2', 'enqueue');
    expect(second).toMatchObject({ state: 'queued', status: 'queued', interrupts: null });
    expect(starter.startedIds()).toEqual([first.id]);
    const parts = { store: world.store, starter, logger: world.logger };
    await sealAndHandOver(parts, 'default', first.id, { status: 'cancelled' });
    expect(await get(second)).toMatchObject({ state: 'started' });
    expect(starter.startedIds()).toEqual([first.id, second.id]);
  });

  it('has its readers and those who wait for it wait, and then answers them', async () => {
    const first = await start('1');
    const second = await start('2', 'enqueue');
    const types: string[] = [];
    const reading = (async () => {
      for await (const { event } of client.turns.events(second.id)) types.push(event.type);
    })();
    const waiting = client.turns.result(second.id, { timeoutMs: 20 * SECOND });
    await end(first);
    expect(types).toEqual([]);
    await vi.waitFor(() => expect(types).toEqual(['turn.started']), SOON);
    await end(second);
    expect(await waiting).toMatchObject({ status: 'completed', answer: 'Done.' });
    await reading;
    expect(types.at(-1)).toBe('turn.done');
  });

  it('is cancelled like any other, and its readers come to its end', async () => {
    await start('1');
    const second = await start('2', 'enqueue');
    expect(await client.turns.cancel(second.id)).toMatchObject({ status: 'cancelled' });
    const types: string[] = [];
    for await (const { event } of client.turns.events(second.id)) types.push(event.type);
    expect(types).toEqual(['turn.done']);
  });

  it.each(['result', 'events'] as const)(
    'behind a dead one gets the conversation from whoever asks for its %s',
    async (what) => {
      const dead = await deadTurn();
      const second = await start('2', 'enqueue');
      const reader = new AbortController();
      const asking = ask(what, second, reader.signal);
      await vi.waitFor(async () => {
        expect(await get(second)).toMatchObject({ state: 'started' });
      }, SOON);
      expect(await get(dead)).toMatchObject({ status: 'failed', reason: 'workflow_lost' });
      reader.abort();
      await asking;
    },
  );

  it.each(['result', 'events'] as const)(
    'for too long is ended by whoever asks for its %s',
    async (what) => {
      const first = await start('1');
      const late = await start('2', 'enqueue');
      await age(late, 'deadline', SECOND);
      await ask(what, late, AbortSignal.timeout(20 * SECOND));
      expect(await get(late)).toMatchObject({ status: 'expired', reason: 'queue_timeout' });
      expect(await get(first)).toMatchObject({ state: 'started' });
    },
  );

  async function ask(what: 'result' | 'events', { id }: Turn, signal: AbortSignal) {
    const asked = what === 'result' ? client.turns.result(id, { signal }) : readAll(id, signal);
    await asked.catch(() => undefined);
  }

  async function readAll(id: string, signal: AbortSignal): Promise<void> {
    for await (const event of client.turns.events(id, { signal })) expect(event.number).toBe(1);
  }
});

describe('a turn that interrupts another', () => {
  it('has its workflow cancelled', async () => {
    const old = await start('1');
    const next = await start('2', 'interrupt');
    expect(next).toMatchObject({ state: 'queued', interrupts: old.id });
    expect(starter.cancelled).toEqual([old.id]);
    expect(await get(old)).toMatchObject({ state: 'started' });
  });

  it('that nobody has started comes in its place at once', async () => {
    starter.away = true;
    const old = await start('1');
    expect(old).toMatchObject({ state: 'accepted' });
    starter.away = false;
    const next = await start('2', 'interrupt');
    expect(await get(old)).toMatchObject({ status: 'cancelled', reason: 'interrupted' });
    expect(await get(next)).toMatchObject({ state: 'started', interrupts: old.id });
    expect(starter.startedIds()).toEqual([next.id]);
  });

  it('is accepted though Temporal is away, and asked for again with the same key', async () => {
    const old = await start('1');
    starter.away = true;
    const key = { idempotencyKey: 'k' };
    const next = await start('2', 'interrupt', key);
    expect(next).toMatchObject({ state: 'queued', interrupts: old.id });
    expect(world.logs.at(-1)).toMatchObject({ level: 'warn', fields: { turnId: old.id } });
    starter.away = false;
    expect(await start('2', 'interrupt', key)).toMatchObject({ id: next.id });
    expect(starter.cancelled).toEqual([old.id]);
  });
});

describe("the worker's sweep", () => {
  it('ends turns that have waited for too long', async () => {
    await start('1');
    const late = await start('2', 'enqueue');
    const other = await start('3', 'enqueue');
    expect(await sweep()).toBe(0);
    await age(late, 'deadline', SECOND);
    expect(await sweep()).toBe(1);
    expect(await get(late)).toMatchObject({ status: 'expired', reason: 'queue_timeout' });
    expect(await get(other)).toMatchObject({ state: 'queued' });
  });

  it('asks Temporal about turns that others wait for, and ends a dead one', async () => {
    const dead = await deadTurn();
    await age(dead, 'started_at', 10 * SECOND);
    expect(await sweep()).toBe(0);
    expect(starter.asked).toEqual([]);
    const second = await start('2', 'enqueue');
    expect(await sweep()).toBe(1);
    expect(await get(dead)).toMatchObject({ reason: 'workflow_lost' });
    expect(await get(second)).toMatchObject({ state: 'started' });
  });

  it('does so for items alone that wait', async () => {
    const dead = await deadTurn();
    await age(dead, 'started_at', 10 * SECOND);
    const items: AddItems['items'] = [{ role: 'user', content: 'By the way' }];
    await client.conversations.addItems(talk.conversationId, { items, whenBusy: 'enqueue' });
    expect(await sweep()).toBe(1);
    const { data } = await client.conversations.items(talk.conversationId);
    expect(data).toHaveLength(2);
  });

  it('cancels an interrupted turn again, and then ends it over its workflow', async () => {
    const old = await start('1');
    starter.away = true;
    const next = await start('2', 'interrupt');
    starter.away = false;
    expect(await sweep()).toBe(0);
    await age(old, 'cancelling_at', 6 * SECOND);
    expect(await sweep()).toBe(1);
    expect(starter.cancelled).toEqual([old.id]);
    expect(await get(old)).toMatchObject({ state: 'started' });
    await age(old, 'cancelling_at', 31 * SECOND);
    expect(await sweep()).toBe(1);
    expect(await get(old)).toMatchObject({ status: 'cancelled', reason: 'interrupted' });
    expect(starter.terminated).toEqual([old.id]);
    expect(await get(next)).toMatchObject({ state: 'started', interrupts: old.id });
  });

  it('ends an interrupted turn that nobody had started', async () => {
    starter.away = true;
    const old = await start('1');
    const accept: AcceptTurn = { ...talk, items: [], whenBusy: { policy: 'interrupt' } };
    await world.store.turns.accept('default', accept);
    await age(old, 'cancelling_at', 6 * SECOND);
    expect(await sweep()).toBe(1);
    expect(await get(old)).toMatchObject({ status: 'cancelled', reason: 'interrupted' });
  });

  it('leaves what fails to the next one, and says so', async () => {
    const old = await start('1');
    await start('2', 'interrupt');
    await age(old, 'cancelling_at', 6 * SECOND);
    starter.away = true;
    expect(await sweep()).toBe(0);
    expect(world.logs.at(-1)).toMatchObject({ level: 'warn', fields: { turnId: old.id } });
  });
});
