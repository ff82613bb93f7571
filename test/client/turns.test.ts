import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Turnkeeper } from '../../src/client/client.ts';
import {
  StoreUnavailable,
  type Store,
  type Turn,
  type TurnEvent,
} from '../../src/contracts/store.ts';
import type { RecordingStarter } from './recording-starter.ts';
import {
  answer,
  assistantMessage,
  beginRespond,
  expectRefused,
  newTalk,
  startWorld,
  type World,
} from './world.ts';

const UNKNOWN = '01890000-0000-7000-8000-000000000000';

let world: World;
let client: Turnkeeper;
let starter: RecordingStarter;

beforeAll(async () => {
  world = await startWorld();
  ({ client, starter } = world.client());
});
afterAll(() => world.stop());

async function startTurn(): Promise<Turn> {
  return await client.turns.start({ ...(await newTalk(client)), input: 'Hello' });
}

async function collect(events: AsyncIterable<TurnEvent>): Promise<TurnEvent[]> {
  const all: TurnEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

describe('the result of a turn', () => {
  it('comes when the turn ends, with the answer and all that came with it', async () => {
    const turn = await startTurn();
    const waiting = client.turns.result(turn.id);
    const reasoning = { type: 'reasoning', id: 'rs_1', summary: [] };
    await answer(world.store, turn, [reasoning, assistantMessage('Good ', 'day.')]);
    const result = await waiting;
    expect(result).toMatchObject({
      turn: { id: turn.id, state: 'sealed' },
      status: 'completed',
      reason: null,
      answer: 'Good day.',
      sources: [],
      usage: { totalTokens: 0 },
    });
    expect(result.output).toEqual([reasoning, assistantMessage('Good ', 'day.')]);
  });

  it('has all items of a turn of more than a page', async () => {
    const turn = await startTurn();
    const items = Array.from({ length: 130 }, (_, n) => assistantMessage(`${n}`));
    await answer(world.store, turn, items);
    const result = await client.turns.result(turn.id);
    expect(result.output).toEqual(items);
    expect(result.answer).toBe('129');
  });

  it('tells why a turn failed, and has no answer then', async () => {
    const turn = await startTurn();
    const ending = { status: 'failed', reason: 'rate_limited', message: 'Too many.' } as const;
    await world.store.turns.seal('default', turn.id, ending);
    const result = await client.turns.result(turn.id);
    expect(result).toMatchObject({
      status: 'failed',
      reason: 'rate_limited',
      answer: '',
      output: [],
    });
    expect(result.turn.message).toBe('Too many.');
  });

  it('ends a turn whose workflow is gone', async () => {
    const turn = await startTurn();
    starter.states.set(turn.id, 'closed');
    expect(await client.turns.result(turn.id)).toMatchObject({
      status: 'failed',
      reason: 'workflow_lost',
    });
  });

  it('rejects with the reason of the signal as soon as that is aborted', async () => {
    const turn = await startTurn();
    const abort = new AbortController();
    const waiting = client.turns.result(turn.id, { signal: abort.signal });
    const reason = new Error('gone home');
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    await expect(client.turns.result(turn.id, { signal: abort.signal })).rejects.toBe(reason);
  });

  it('is not held up by a database that does not answer when the signal is aborted', async () => {
    const turn = await startTurn();
    const hangs = () => new Promise<Turn>(() => undefined);
    const store: Store = { ...world.store, turns: { ...world.store.turns, get: hangs } };
    const abort = new AbortController();
    const waiting = world.client({ store }).client.turns.result(turn.id, { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });

  it('rejects with a TimeoutError when the time is over', async () => {
    const turn = await startTurn();
    const waiting = client.turns.result(turn.id, { timeoutMs: 30 });
    await expect(waiting).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(await client.turns.get(turn.id)).toMatchObject({ state: 'started' });
  });

  it('waits out a database that is away for a moment', async () => {
    const turn = await startTurn();
    await answer(world.store, turn, [assistantMessage('Hi')]);
    let failures = 2;
    const get: Store['turns']['get'] = async (...args) => {
      if (failures-- > 0) throw new StoreUnavailable(new Error('ECONNREFUSED'));
      return await world.store.turns.get(...args);
    };
    const store: Store = { ...world.store, turns: { ...world.store.turns, get } };
    const { client: cut } = world.client({ store });
    expect(await cut.turns.result(turn.id)).toMatchObject({ answer: 'Hi' });
  });

  it('refuses what it cannot wait for', async () => {
    await expectRefused(client.turns.result(UNKNOWN), 'turn_not_found', /There is no turn/);
    const wrong = client.turns.result(UNKNOWN, { timeoutMs: -1 });
    await expectRefused(wrong, 'invalid_request', /^timeoutMs must be/);
  });
});

describe('the events of a turn', () => {
  it('come in order, up to the last, also while the turn goes on', async () => {
    const turn = await startTurn();
    const reading = collect(client.turns.events(turn.id));
    await answer(world.store, turn, [assistantMessage('Hi')]);
    const events = await reading;
    expect(events.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5]);
    expect(events.map(({ event }) => event.type)).toEqual([
      'turn.started',
      'turn.step',
      'response.output_text.delta',
      'turn.step',
      'turn.done',
    ]);
  });

  it('go on after the number given', async () => {
    const turn = await startTurn();
    await answer(world.store, turn, [assistantMessage('Hi')]);
    const events = await collect(client.turns.events(turn.id, { after: 4 }));
    expect(events.map(({ event }) => event.type)).toEqual(['turn.done']);
    expect(await collect(client.turns.events(turn.id, { after: 5 }))).toEqual([]);
  });

  it('end when the signal is aborted, with its reason', async () => {
    const turn = await startTurn();
    const abort = new AbortController();
    const reader = client.turns.events(turn.id, { signal: abort.signal })[Symbol.asyncIterator]();
    expect((await reader.next()).value).toMatchObject({ number: 1 });
    const next = reader.next();
    abort.abort(new Error('enough'));
    await expect(next).rejects.toThrow('enough');
  });

  it('are refused of a turn that is not known', async () => {
    await expectRefused(collect(client.turns.events(UNKNOWN)), 'turn_not_found', /no turn/);
    await expectRefused(collect(client.turns.events('nope')), 'turn_not_found', /"nope"/);
    const wrong = collect(client.turns.events(UNKNOWN, { after: -1 }));
    await expectRefused(wrong, 'invalid_request', /^after must be/);
  });
});

describe('cancelling a turn', () => {
  it('asks the workflow and answers when that has ended the turn', async () => {
    const turn = await startTurn();
    starter.onCancel = async (id) => {
      await world.store.turns.seal('default', id, { status: 'cancelled' });
    };
    const cancelled = await client.turns.cancel(turn.id.toUpperCase());
    expect(cancelled).toMatchObject({ status: 'cancelled', state: 'sealed' });
    expect(starter.cancelled).toContain(turn.id);
  });

  it('leaves a turn that has ended as it is', async () => {
    const turn = await startTurn();
    await answer(world.store, turn, [assistantMessage('Hi')]);
    expect(await client.turns.cancel(turn.id)).toMatchObject({ status: 'completed' });
    expect(starter.cancelled).not.toContain(turn.id);
  });

  it('ends a turn that was not yet started, also without Temporal, and frees the conversation', async () => {
    const { client: cut, starter: away } = world.client();
    away.away = true;
    const talk = await newTalk(cut);
    const turn = await cut.turns.start({ ...talk, input: 'Hello' });
    expect(await cut.turns.cancel(turn.id)).toMatchObject({ status: 'cancelled', state: 'sealed' });
    expect(await cut.turns.cancel(turn.id)).toMatchObject({ status: 'cancelled' });
    expect(await cut.conversations.get(talk.conversationId)).toMatchObject({ activeTurn: null });
  });

  it('ends a turn whose workflow is gone', async () => {
    const turn = await startTurn();
    starter.onCancel = () => Promise.resolve();
    starter.states.set(turn.id, 'not_found');
    expect(await client.turns.cancel(turn.id)).toMatchObject({ reason: 'workflow_lost' });
  });

  it('is refused when Temporal is away and the turn was started', async () => {
    const { client: cut, starter: away } = world.client();
    const turn = await startTurn();
    away.away = true;
    await expectRefused(cut.turns.cancel(turn.id), 'temporal_unreachable', /away/);
    expect(await cut.turns.get(turn.id)).toMatchObject({ state: 'started' });
  });
});

describe('reading a turn', () => {
  it('shows steps, usage and sources', async () => {
    const turn = await startTurn();
    await beginRespond(world.store, turn);
    expect(await client.turns.steps(turn.id)).toMatchObject([{ key: 'respond:1', status: 'open' }]);
    expect(await client.turns.usage(turn.id)).toMatchObject({ totalTokens: 0, calls: [] });
    expect(await client.turns.sources(turn.id)).toEqual([]);
  });

  it('lists the turns of a conversation', async () => {
    const turn = await startTurn();
    const { data } = await client.turns.list(turn.conversationId);
    expect(data.map(({ id }) => id)).toEqual([turn.id]);
    await expectRefused(client.turns.list(UNKNOWN), 'conversation_not_found', /no conversation/);
  });

  it.each(['get', 'steps', 'usage', 'sources', 'cancel', 'compensate'] as const)(
    "%s knows neither unknown turns nor another tenant's",
    async (method) => {
      const turn = await startTurn();
      const { client: other } = world.client({ tenant: 'other' });
      await expectRefused(other.turns[method](turn.id), 'turn_not_found', /There is no turn/);
      await expectRefused(client.turns[method](UNKNOWN), 'turn_not_found', /There is no turn/);
      await expectRefused(client.turns[method]('nope'), 'turn_not_found', /"nope"/);
    },
  );
});
