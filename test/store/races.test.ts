import { expect, test } from 'vitest';
import type { Ending } from '../../src/contracts/turn.ts';
import { createAppender } from '../../src/store/appender.ts';
import { describePostgres, type TestDatabase } from '../support/stores.ts';
import { randomNumbers, shuffle } from '../support/random.ts';
import {
  QUESTION,
  RESPOND,
  answer,
  appendOne,
  attemptOf,
  beginCompensation,
  beginRespond,
  beginTool,
  callItem,
  compensateStep,
  delta,
  failedTurn,
  itemsOf,
  keyOf,
  newPlace,
  newTurn,
  readEvents,
  refusal,
  response,
  stream,
  toolResult,
  toolStep,
  turnWithCalls,
  type TurnAt,
} from './fixtures.ts';
import { expectSealedSoundly } from './inspect.ts';

const times = <T>(count: number, make: (n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => make(n)));

describePostgres('at the same time', (database) => {
  test('one of many turns gets the conversation, the others are told which', async () => {
    const { store } = database;
    const { tenant, ...place } = await newPlace(store);
    const accepted = await times(20, (n) =>
      store.turns.accept(tenant, { ...place, items: [QUESTION], key: keyOf(`k${n}`) }),
    );
    const winners = accepted.flatMap((outcome) =>
      outcome.kind === 'accepted' ? [outcome.turn.id] : [],
    );
    const busy = accepted.flatMap((outcome) =>
      outcome.kind === 'busy' ? [outcome.active.id] : [],
    );
    expect(winners).toHaveLength(1);
    expect(busy).toEqual(Array.from({ length: 19 }, () => winners[0]));
    expect(await itemsOf(store, { tenant, ...place })).toEqual([QUESTION]);
  });

  test('one key makes one turn, and all get it', async () => {
    const { store } = database;
    const { tenant, ...place } = await newPlace(store);
    const accepted = await times(20, () =>
      store.turns.accept(tenant, { ...place, items: [QUESTION], key: keyOf('k') }),
    );
    const kinds = accepted.map(({ kind }) => kind).sort();
    expect(kinds).toEqual(['accepted', ...Array.from({ length: 19 }, () => 'repeated')]);
    const ids = accepted.map((outcome) => (outcome.kind === 'busy' ? null : outcome.turn.id));
    expect(new Set(ids).size).toBe(1);
  });

  test('one key on a held conversation stays unused for all', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const { tenant, assistantId, conversationId } = turn;
    const accepted = await times(10, () =>
      store.turns.accept(tenant, {
        assistantId,
        conversationId,
        items: [QUESTION],
        key: keyOf('k'),
      }),
    );
    expect(new Set(accepted.map(({ kind }) => kind))).toEqual(new Set(['busy']));
  });

  test('one of many endings wins, and all read it', async () => {
    const { store } = database;
    const turn = await turnWithCalls(store, 'a', 'b');
    const endings: Ending[] = [
      { status: 'completed' },
      { status: 'cancelled' },
      { status: 'incomplete', reason: 'max_rounds' },
      { status: 'failed', reason: 'workflow_lost', message: 'Gone.' },
    ];
    const sealed = await times(12, (n) =>
      store.turns.seal(turn.tenant, turn.turnId, endings[n % 4] ?? expect.unreachable()),
    );
    expect(sealed.filter((outcome) => outcome?.won)).toHaveLength(1);
    expect(new Set(sealed.map((outcome) => outcome?.status)).size).toBe(1);
    await expectSealedSoundly(database, turn);
  });

  test('one of many attempts holds the step: the newest', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const refs = Array.from({ length: 12 }, (_, n) => attemptOf(turn, RESPOND, n + 1));
    const begun = await Promise.allSettled(refs.map((ref) => beginRespond(store, ref)));
    expect(begun.at(-1)?.status).toBe('fulfilled');
    for (const outcome of begun) {
      if (outcome.status === 'rejected') expect(outcome.reason).toEqual(refusal('step_fenced'));
    }
    const refused = await store.events.append(
      refs.map((ref) => ({ ref, position: 0, events: [delta(`${ref.fence.attempt}`)] })),
    );
    expect(refused).toEqual(refs.slice(0, -1));
    expect(await stream(store, turn)).toEqual(['turn.started', '12']);
  });

  test('one of many attempts undoes an effect: the newest', async () => {
    const { store } = database;
    const turn = await failedTurn(store, 'a');
    const refs = Array.from({ length: 12 }, (_, n) => compensateStep(turn, 'a', n + 1));
    const begun = await Promise.allSettled(refs.map((ref) => beginCompensation(store, ref)));
    expect(begun.at(-1)?.status).toBe('fulfilled');
    const settled = await Promise.allSettled(
      refs.map((ref) => store.compensations.settle(ref, null)),
    );
    expect(settled.map(({ status }) => status)).toEqual([
      ...Array.from({ length: 11 }, () => 'rejected'),
      'fulfilled',
    ]);
  });

  test('a compensation that is given up meets attempts, and leaves nothing open', async () => {
    for (let seed = 1; seed <= 30; seed++) await raceTheCompensation(database, randomFrom(seed));
  }, 120_000);

  test('one of many sweeps gets an open compensation', async () => {
    const { store } = database;
    const { tenant, turnId } = await failedTurn(store, 'a');
    const found = await times(10, () =>
      store.sweep.openCompensations({ olderThanMs: -1, everyMs: 60_000 }, 100),
    );
    expect(found.flat().filter((open) => open.turnId === turnId)).toEqual([{ tenant, turnId }]);
  });

  test('one of many sweeps gets a document that nobody indexed', async () => {
    const { store } = database;
    const place = { base: 'b', name: 'n', mediaType: 'text/plain' };
    const { id } = await store.documents.create('t', { ...place, content: Buffer.from('text') });
    const found = await times(10, () =>
      store.sweep.unindexedDocuments({ olderThanMs: -1, everyMs: 60_000 }, 100),
    );
    expect(found.flat().filter(({ documentId }) => documentId === id)).toHaveLength(1);
  });

  test('an end meets appends, settlements and takeovers, and leaves nothing half done', async () => {
    for (let seed = 1; seed <= 100; seed++) await raceTheEnd(database, randomFrom(seed));
  }, 180_000);

  test('appenders of parallel steps of the same turns neither deadlock nor lose a number', async () => {
    const { store } = database;
    const turns = await times(3, () => turnWithCalls(store, 'a', 'b', 'c', 'd'));
    const steps = turns.flatMap((turn) =>
      ['a', 'b', 'c', 'd'].map((callId) => ({ callId, ref: toolStep(turn, callId) })),
    );
    for (const { callId, ref } of steps) await beginTool(store, ref, callId);
    const readers = turns.map((turn) => readWhile(database, turn, 1 + 4 * 25));
    const appenders = [0, 1, 2].map(() => createAppender(store.events));
    await Promise.all(
      steps.map(async ({ ref }, n) => {
        const appender = appenders[n % 3] ?? expect.unreachable();
        for (let i = 0; i < 25; i++) {
          appender.append(ref, delta(`${ref.step} ${i}`, String(i)));
          await appender.flush(ref);
        }
      }),
    );
    for (const appender of appenders) await appender.close();
    for (const reader of readers) await reader;
  });
});

/** Reads as readers do, from the last number on; whatever is not the next number was missed or shown twice. */
async function readWhile(database: TestDatabase, turn: TurnAt, total: number): Promise<void> {
  const seen: number[] = [];
  while (seen.length < total) {
    const events = await readEvents(database.store, turn, seen.length);
    for (const { number } of events) {
      seen.push(number);
      expect(number).toBe(seen.length);
    }
  }
}

type Random = (below: number) => number;

function randomFrom(seed: number): Random {
  const random = randomNumbers(seed);
  return (below) => Math.floor(random() * below);
}

function shuffled<T>(list: T[], random: Random): T[] {
  return shuffle(list, () => random(1_000_000));
}

/** A turn with two tools and a model call under way; everything that may still happen happens at once. */
async function raceTheEnd(database: TestDatabase, random: Random): Promise<void> {
  const { store } = database;
  const turn = await turnWithCalls(store, 'a', 'b');
  const [respond, newer] = [attemptOf(turn, 'respond:2'), attemptOf(turn, 'respond:2', 2)];
  const tool = toolStep(turn, 'a');
  await beginRespond(store, respond);
  await beginTool(store, tool, 'a');
  const { callId } = await store.steps.recordIntent(respond, { model: 'm', inputTokens: 1 });
  const items = [answer('late'), callItem('c')];
  const moves: (() => Promise<unknown>)[] = [
    () => store.turns.seal(turn.tenant, turn.turnId, { status: 'cancelled' }),
    () => store.turns.seal(turn.tenant, turn.turnId, { status: 'completed' }),
    () => appendOne(store, respond, 0, 'x', 'y'),
    () => appendOne(store, newer, 0, 'z'),
    () =>
      store.events.append(
        [tool, respond].map((ref) => ({ ref, position: 0, events: [delta('t')] })),
      ),
    () => beginRespond(store, newer),
    () => beginTool(store, toolStep(turn, 'b'), 'b'),
    () => store.steps.settleTool(tool, toolResult('a')),
    () => store.steps.settleResponse(respond, response(items, { events: [delta('end')] })),
    () => store.steps.settleFailure(newer, { reason: 'server_error', message: '' }),
    () => store.steps.recordIntent(newer, { model: 'm', inputTokens: 1 }),
    () =>
      store.steps.recordFailedCall(respond, callId, {
        requestId: null,
        error: 'no',
        refused: true,
      }),
    () => store.turns.markStarted(turn.tenant, turn.turnId),
  ];
  const outcomes = await Promise.allSettled(
    shuffled(moves, random).map(async (move) => {
      for (let pauses = random(8); pauses > 0; pauses--) await database.sql('SELECT 1');
      return move();
    }),
  );
  for (const outcome of outcomes) {
    if (outcome.status === 'fulfilled') continue;
    const reason = expect.stringMatching(
      /^(turn_sealed|step_fenced|store_rolled_back)$/,
    ) as unknown;
    expect(outcome.reason).toEqual(refusal(reason));
  }
  await expectSealedSoundly(database, turn);
}

/** Two effects are left; attempts at them, a close and two ends from outside come at once. */
async function raceTheCompensation(database: TestDatabase, random: Random): Promise<void> {
  const { compensations, turns } = database.store;
  const turn = await failedTurn(database.store, 'a', 'b');
  const { tenant, turnId } = turn;
  const [older, newer] = [compensateStep(turn, 'b'), compensateStep(turn, 'b', 2)];
  await beginCompensation(database.store, older);
  const lost = { reason: 'workflow_lost', message: 'Gone.' };
  const moves: (() => Promise<unknown>)[] = [
    () => compensations.settle(older, null),
    () => beginCompensation(database.store, newer),
    () => compensations.settle(newer, lost),
    () => beginCompensation(database.store, compensateStep(turn, 'a')),
    () => compensations.settle(compensateStep(turn, 'a'), null),
    () => compensations.close(tenant, turnId),
    () => compensations.abandon(tenant, turnId, lost),
    () => compensations.abandon(tenant, turnId, lost),
  ];
  const outcomes = await Promise.allSettled(
    shuffled(moves, random).map(async (move) => {
      for (let pauses = random(8); pauses > 0; pauses--) await database.sql('SELECT 1');
      return move();
    }),
  );
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected')
      expect(outcome.reason).toMatchObject({ name: 'StepRefused' });
  }
  expect(await turns.get(tenant, turnId)).toMatchObject({ compensation: 'closed' });
  const steps = await turns.steps(tenant, turnId);
  const undone = steps.filter(({ kind }) => kind === 'compensate');
  expect(undone.map(({ key }) => key).sort()).toEqual(['compensate:a', 'compensate:b']);
  expect(steps.filter(({ status }) => status === 'open')).toEqual([]);
}
