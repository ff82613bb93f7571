import { expect, test } from 'vitest';
import { EVENTS_OF_AN_EPOCH } from '../../../src/contracts/store.ts';
import type { TestDatabase } from '../../support/stores.ts';
import {
  appendOne,
  attemptOf,
  beginRespond,
  beginTool,
  callItem,
  newPlace,
  newTurn,
  readEvents,
  response,
  stream,
  toolResult,
  toolStep,
} from '../fixtures.ts';
import { holderOf, statusOf, waiting } from '../queues.ts';

export function restoring(database: TestDatabase): void {
  test('ends an open turn under a number that no reader can know, once', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await store.turns.markStarted(turn.tenant, turn.turnId);
    await beginRespond(store, attemptOf(turn));
    await appendOne(store, attemptOf(turn), 0, 'Hel', 'lo');
    const { last } = await store.events.read(turn.tenant, turn.turnId, { after: 0, limit: 1 });
    const seal = () => store.checkup.sealRestored(turn.tenant, turn.turnId);
    expect(await seal()).toBe(true);
    expect(await seal()).toBe(false);
    expect(await statusOf(database, turn)).toEqual(['failed', 'restored']);
    expect((await stream(store, turn)).slice(-3)).toEqual(['Hel', 'lo', 'turn.done']);
    // Whoever had read further than the backup gets the end, and no number means two things.
    const after = last + 500;
    const rest = await readEvents(store, turn, after);
    expect(rest.map(({ number, event }) => [number, event.type])).toEqual([
      [last + EVENTS_OF_AN_EPOCH + 1, 'turn.done'],
    ]);
    expect(await holderOf(database, turn)).toBeNull();
  });

  test('gives a tool call that was under way an output, and undoes nothing by itself', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn));
    await store.steps.settleResponse(attemptOf(turn), response(['a', 'b'].map(callItem)));
    for (const callId of ['a', 'b']) await beginTool(store, toolStep(turn, callId), callId, true);
    await store.steps.settleTool(toolStep(turn, 'a'), toolResult('a'));
    await store.checkup.sealRestored(turn.tenant, turn.turnId);
    const { compensation } = await store.turns.get(turn.tenant, turn.turnId);
    expect(compensation).toBeNull();
    const effects = await store.compensations.outcomes(turn.tenant, turn.turnId);
    expect(effects.map(({ callId, outcome }) => [callId, outcome])).toEqual([
      ['a', 'done'],
      ['b', 'unknown'],
    ]);
    const asked = await store.compensations.request(turn.tenant, turn.turnId);
    expect(asked.compensation).toBe('requested');
  });

  test('ends turns that wait, page by page', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const holder = await newTurn(store, place);
    const behind = [await waiting(store, place, 'one'), await waiting(store, place, 'two')];
    const queued: string[] = [];
    for (let after = 0; ;) {
      const [turn] = await store.checkup.turnsIn(['queued'], after, 1);
      if (!turn) break;
      if (turn.tenant === place.tenant) queued.push(turn.turnId);
      after = turn.number;
    }
    expect(queued).toEqual(behind.map(({ turnId }) => turnId));
    for (const { turnId } of [...behind, holder])
      await store.checkup.sealRestored(place.tenant, turnId);
    for (const turn of [holder, ...behind])
      expect(await statusOf(database, turn)).toEqual(['failed', 'restored']);
    expect(await holderOf(database, place)).toBeNull();
    await newTurn(store, place);
  });

  test('leaves the turns of others alone', async () => {
    const { store } = database;
    const [mine, theirs] = [await newTurn(store), await newTurn(store)];
    expect(await store.checkup.sealRestored(mine.tenant, theirs.turnId)).toBe(false);
    expect(await statusOf(database, theirs)).toEqual(['in_progress', null]);
  });
}
