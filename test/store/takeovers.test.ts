import { expect, onTestFinished, test } from 'vitest';
import type { StepRef, Store } from '../../src/contracts/store.ts';
import { openDatabase } from '../../src/store/database.ts';
import { openStore } from '../../src/store/postgres.ts';
import { describePostgres, type TestDatabase } from '../support/stores.ts';
import {
  QUESTION,
  PATIENCE,
  RESPOND,
  answer,
  appendOne,
  attemptOf,
  beginRespond,
  beginTool,
  delta,
  itemsOf,
  newTurn,
  refusal,
  response,
  stream,
  toolStep,
  turnWithCalls,
  type TurnAt,
} from './fixtures.ts';
import { expectSealedSoundly } from './inspect.ts';

describePostgres('a statement that waits while its step is taken over', (database) => {
  const WRITES: [string, (ref: StepRef) => Promise<unknown>, unknown][] = [
    ['an append', (ref) => appendOne(database.store, ref, 1, 'late'), expect.anything()],
    [
      'a settlement',
      (ref) => database.store.steps.settleResponse(ref, response([answer('late')])),
      refusal('step_fenced'),
    ],
    [
      'a failure',
      (ref) => database.store.steps.settleFailure(ref, { reason: 'late', message: '' }),
      refusal('step_fenced'),
    ],
    [
      'an intent',
      (ref) => database.store.steps.recordIntent(ref, { model: 'm', inputTokens: 1 }),
      refusal('step_fenced'),
    ],
  ];

  const behind = async (turn: TurnAt, first: Run, write: Run): Promise<unknown> =>
    (await atGate(database, `event_sequences WHERE turn_id = '${turn.turnId}'`, [first, write]))[1];

  test.each(WRITES)('does not land: %s', async (_, write, outcome) => {
    const { store } = database;
    const turn = await newTurn(store);
    const [older, newer] = [attemptOf(turn), attemptOf(turn, RESPOND, 2)];
    await beginRespond(store, older);
    await appendOne(store, older, 0, 'shown');
    const refused = await behind(
      turn,
      () => beginRespond(store, newer),
      () => write(older),
    );
    expect(refused).toEqual(outcome);
    if (Array.isArray(refused)) expect(refused).toEqual([older]);
    await appendOne(store, newer, 0, 'again');
    expect(await stream(store, turn)).toEqual(['turn.started', 'shown', 'turn.rewind', 'again']);
    expect(await itemsOf(store, turn)).toEqual([QUESTION]);
    expect((await store.turns.usage(turn.tenant, turn.turnId)).calls).toEqual([]);
  });

  test.each(WRITES)('does not land behind the end of the turn: %s', async (_, write) => {
    const { store } = database;
    const turn = await newTurn(store);
    const ref = attemptOf(turn);
    await beginRespond(store, ref);
    await appendOne(store, ref, 0, 'shown');
    const refused = await behind(
      turn,
      () => store.turns.seal(turn.tenant, turn.turnId, { status: 'cancelled' }),
      () => write(ref),
    );
    expect(refused).toEqual(Array.isArray(refused) ? [ref] : refusal('turn_sealed'));
    expect(await stream(store, turn)).toEqual(['turn.started', 'shown', 'turn.done']);
    await expectSealedSoundly(database, turn);
  });

  test('does not begin a step behind the end of the turn', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    const refused = await behind(
      turn,
      () => store.turns.seal(turn.tenant, turn.turnId, { status: 'cancelled' }),
      () => beginRespond(store, attemptOf(turn)),
    );
    expect(refused).toEqual(refusal('turn_sealed'));
    expect(await store.turns.steps(turn.tenant, turn.turnId)).toEqual([]);
  });
});

describePostgres('appends that go for the same turns in opposite orders', (database) => {
  async function turnsWithTools(): Promise<[TurnAt[], TurnAt]> {
    const { store } = database;
    const turns = [];
    for (let n = 0; n < 3; n++) {
      const turn = await turnWithCalls(store, 'a', 'b');
      for (const callId of ['a', 'b']) await beginTool(store, toolStep(turn, callId), callId);
      turns.push(turn);
    }
    return [turns, turns[1] ?? expect.unreachable()];
  }

  /** Without these a plan may happen to read rows in one order for everybody. */
  const IN_THE_ORDER_GIVEN = ['hashjoin', 'mergejoin', 'seqscan', 'bitmapscan', 'hashagg'];

  async function storeWithoutLuck(): Promise<Store> {
    const url = new URL(database.url);
    const settings = IN_THE_ORDER_GIVEN.map((name) => `-c enable_${name}=off`);
    url.searchParams.set('options', settings.join(' '));
    const store = await openStore({ connectionString: url.href, poolSize: 2 });
    onTestFinished(() => store.close());
    return store;
  }

  const append = (store: Store, turns: TurnAt[], callId: string) => () =>
    store.events.append(
      turns.map((turn) => ({ ref: toolStep(turn, callId), position: 0, events: [delta('x')] })),
    );

  test('do not deadlock at their steps', async () => {
    const [turns, { turnId }] = await turnsWithTools();
    const gate = `steps WHERE turn_id = '${turnId}' AND key = 'tool:a'`;
    const store = await storeWithoutLuck();
    const runs = [append(store, turns, 'a'), append(store, turns.toReversed(), 'a')];
    const refused = turns.toReversed().map((turn) => toolStep(turn, 'a'));
    expect(await atGate(database, gate, runs)).toEqual([[], refused]);
  });

  test('do not deadlock at the numbers of their events', async () => {
    const [turns, { turnId }] = await turnsWithTools();
    const gate = `event_sequences WHERE turn_id = '${turnId}'`;
    const store = await storeWithoutLuck();
    const runs = [append(store, turns, 'a'), append(store, turns.toReversed(), 'b')];
    expect(await atGate(database, gate, runs)).toEqual([[], []]);
    for (const turn of turns) {
      expect(await stream(database.store, turn)).toEqual(['turn.started', 'x', 'x']);
    }
  });
});

type Run = () => Promise<unknown>;

/** Holds a row while each of `runs` in turn comes to a lock, then lets them all go; answers what they came to. */
async function atGate(database: TestDatabase, row: string, runs: Run[]): Promise<unknown[]> {
  const gate = openDatabase({ connectionString: database.url, poolSize: 1 });
  onTestFinished(() => gate.close());
  const running: Promise<unknown>[] = [];
  await gate.transaction(async (tx) => {
    await tx.query(`SELECT 1 FROM turnkeeper.${row} FOR UPDATE`);
    for (const run of runs) {
      running.push(run().catch((error: unknown) => error));
      await expect.poll(() => waiting(database), PATIENCE).toBe(running.length);
    }
  });
  return Promise.all(running);
}

async function waiting(database: TestDatabase): Promise<number> {
  const rows = await database.sql(
    `SELECT pid FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'`,
  );
  return rows.length;
}
