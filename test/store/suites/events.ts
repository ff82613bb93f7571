import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import type { EventBatch, NewEvent } from '../../../src/contracts/store.ts';
import type { TestDatabase } from '../../support/stores.ts';
import {
  RESPOND,
  appendOne,
  attemptOf,
  beginRespond,
  beginTool,
  delta,
  failure,
  newPlace,
  newTurn,
  readEvents,
  response,
  stream,
  toolStep,
  turnWithCalls,
  type TurnAt,
} from '../fixtures.ts';

export function events(database: TestDatabase): void {
  async function respondingTurn(): Promise<TurnAt> {
    const turn = await newTurn(database.store);
    await beginRespond(database.store, attemptOf(turn));
    return turn;
  }

  test('are numbered 1, 2, 3 and read in that order, also in parts', async () => {
    const { store } = database;
    const turn = await respondingTurn();
    await appendOne(store, attemptOf(turn), 0, 'a', 'b');
    await appendOne(store, attemptOf(turn), 2, 'c');
    const all = await readEvents(store, turn);
    expect(all.map(({ number, step }) => [number, step])).toEqual([
      [1, null],
      [2, RESPOND],
      [3, RESPOND],
      [4, RESPOND],
      [5, RESPOND],
    ]);
    const read = (after: number, limit: number) =>
      store.events.read(turn.tenant, turn.turnId, { after, limit });
    const state = { last: 5, sealed: false };
    expect(await read(1, 2)).toMatchObject({ events: all.slice(1, 3), ...state });
    expect(await read(3, 2)).toMatchObject({ events: all.slice(3), ...state });
    expect(await read(5, 2)).toMatchObject({ events: [], ...state });
  });

  test('are read a few at a time where they are large, but one at least', async () => {
    const { store } = database;
    const turn = await respondingTurn();
    const large = 'x'.repeat(3_000_000);
    await appendOne(store, attemptOf(turn), 0, large, large, large);
    const read = async (after: number) => {
      const { events } = await store.events.read(turn.tenant, turn.turnId, { after, limit: 9 });
      return events.map(({ number }) => number);
    };
    expect(await read(0)).toEqual([1, 2, 3, 4]);
    expect(await read(4)).toEqual([5]);
  });

  test('are read together with whether the turn has ended', async () => {
    const { store } = database;
    const turn = await respondingTurn();
    const last = (await readEvents(store, turn)).length;
    await store.turns.seal(turn.tenant, turn.turnId, { status: 'completed' });
    const read = (after: number) =>
      store.events.read(turn.tenant, turn.turnId, { after, limit: 9 });
    const { events, sealed } = await read(last);
    expect(events.map(({ event }) => event.type)).toEqual(['turn.done']);
    expect(sealed).toBe(true);
    expect(await read(last + 1)).toMatchObject({ events: [], sealed: true });
  });

  test('come back to the letter', async () => {
    const { store } = database;
    const turn = await respondingTurn();
    const text =
      '{"type":"response.custom","z":{"nul":"\\u0000","half":"\\ud800","b":[1e+21,-0.1]},"a":"{\\"x\\",NULL}\\n","":null}';
    await store.events.append([
      { ref: attemptOf(turn), position: 0, events: [JSON.parse(text) as NewEvent] },
    ]);
    const [event] = await readEvents(store, turn, 2);
    expect(JSON.stringify(event?.event)).toBe(text);
  });

  test('of an unknown turn cannot be read', async () => {
    const { tenant } = await newPlace(database.store);
    const read = database.store.events.read(tenant, randomUUID(), { after: 0, limit: 1 });
    await expect(read).rejects.toEqual(failure('turn_not_found'));
  });

  test('a batch that is sent twice lands once', async () => {
    const { store } = database;
    const turn = await respondingTurn();
    const ref = attemptOf(turn);
    expect(await appendOne(store, ref, 0, 'a', 'b')).toEqual([]);
    expect(await appendOne(store, ref, 0, 'a', 'b')).toEqual([ref]);
    expect(await store.events.appended(ref)).toBe(2);
    expect(await stream(store, turn)).toEqual(['turn.started', 'a', 'b']);
  });

  test('a batch behind a gap is refused', async () => {
    const { store } = database;
    const turn = await respondingTurn();
    const ref = attemptOf(turn);
    expect(await appendOne(store, ref, 1, 'b')).toEqual([ref]);
    expect(await stream(store, turn)).toEqual(['turn.started']);
  });

  test('an empty batch lands and shows nothing', async () => {
    const { store } = database;
    const turn = await respondingTurn();
    const ref = attemptOf(turn);
    expect(await store.events.append([{ ref, position: 0, events: [] }])).toEqual([]);
    expect(await store.events.append([])).toEqual([]);
    expect(await appendOne(store, ref, 0, 'a')).toEqual([]);
    expect(await stream(store, turn)).toEqual(['turn.started', 'a']);
  });

  test('an attempt that was overtaken can append no more', async () => {
    const { store } = database;
    const turn = await respondingTurn();
    const [older, newer] = [attemptOf(turn), attemptOf(turn, RESPOND, 2)];
    await appendOne(store, older, 0, 'a');
    await beginRespond(store, newer);
    expect(await appendOne(store, older, 1, 'b')).toEqual([older]);
    expect(await appendOne(store, older, 0, 'b')).toEqual([older]);
    expect(await store.events.appended(older)).toBeNull();
    expect(await store.events.appended(newer)).toBe(0);
    expect(await stream(store, turn)).toEqual(['turn.started', 'a', 'turn.rewind']);
  });

  test('nothing is appended to a turn that has ended', async () => {
    const { store } = database;
    const turn = await respondingTurn();
    const ref = attemptOf(turn);
    await store.turns.seal(turn.tenant, turn.turnId, { status: 'cancelled' });
    expect(await appendOne(store, ref, 0, 'late')).toEqual([ref]);
    expect(await stream(store, turn)).toEqual(['turn.started', 'turn.done']);
  });

  test('nothing is appended to a step that never began', async () => {
    const turn = await respondingTurn();
    const ref = attemptOf(turn, 'respond:2');
    expect(await appendOne(database.store, ref, 0, 'x')).toEqual([ref]);
    expect(await database.store.events.appended(ref)).toBeNull();
  });

  test('of many turns land together, without the ones that are refused', async () => {
    const { store } = database;
    const turns = [];
    for (let n = 0; n < 5; n++) turns.push(await respondingTurn());
    const [, overtaken, settled, sealed] = turns as [TurnAt, TurnAt, TurnAt, TurnAt, TurnAt];
    await beginRespond(store, attemptOf(overtaken, RESPOND, 2));
    await store.steps.settleResponse(attemptOf(settled), response());
    await store.turns.seal(sealed.tenant, sealed.turnId, { status: 'completed' });
    const batches: EventBatch[] = turns.map((turn, n) => ({
      ref: attemptOf(turn),
      position: 0,
      events: [delta(`a${n}`), delta(`b${n}`)],
    }));
    const refused = await store.events.append(batches);
    expect(refused).toEqual([overtaken, settled, sealed].map((turn) => attemptOf(turn)));
    const streams = await Promise.all(turns.map((turn) => stream(store, turn)));
    expect(streams).toEqual([
      ['turn.started', 'a0', 'b0'],
      ['turn.started'],
      ['turn.started'],
      ['turn.started', 'turn.done'],
      ['turn.started', 'a4', 'b4'],
    ]);
  });

  test('of parallel steps of one turn land in one statement, each in its order', async () => {
    const { store } = database;
    const turn = await turnWithCalls(store, 'a', 'b', 'c');
    const refs = ['c', 'a', 'b'].map((callId) => toolStep(turn, callId));
    for (const [n, ref] of refs.entries()) await beginTool(store, ref, ['c', 'a', 'b'][n] ?? '');
    const batches = refs.map((ref) => ({
      ref,
      position: 0,
      events: [delta(`${ref.step} 1`), delta(`${ref.step} 2`)],
    }));
    expect(await store.events.append(batches)).toEqual([]);
    const all = await readEvents(store, turn);
    expect(all.map(({ number }) => number)).toEqual(all.map((_, index) => index + 1));
    const events = all.filter(({ event }) => event.type !== 'turn.step');
    for (const { step } of refs) {
      const own = events.filter((event) => event.step === step);
      expect(own.map(({ event }) => event['delta'])).toEqual([`${step} 1`, `${step} 2`]);
    }
  });
}
