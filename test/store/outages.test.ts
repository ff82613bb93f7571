import { describe, expect, onTestFinished, test } from 'vitest';
import type { Store } from '../../src/contracts/store.ts';
import { createAppender } from '../../src/store/appender.ts';
import { openDatabase } from '../../src/store/database.ts';
import { openStore } from '../../src/store/postgres.ts';
import { describePostgres, describeStores, type TestDatabase } from '../support/stores.ts';
import {
  PATIENCE,
  QUESTION,
  UNAVAILABLE,
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
  outputsOf,
  response,
  stream,
  toolResult,
  toolStep,
  turnWithCalls,
  usageOf,
} from './fixtures.ts';
import { expectSealedSoundly, rowsOf } from './inspect.ts';
import { startLossyProxy, type LossyProxy } from './lossy-proxy.ts';
import { opening } from './suites/opening.ts';

/** A second store on the same database, over a line that can be broken. */
async function lossyStore(database: TestDatabase): Promise<{ store: Store; proxy: LossyProxy }> {
  const proxy = await startLossyProxy(database.url);
  const store = await openStore({ connectionString: proxy.url, poolSize: 3 });
  onTestFinished(async () => {
    await store.close();
    await proxy.close();
  });
  return { store, proxy };
}

describeStores('a database', (database) => {
  describe('that breaks off', () => breaks(database));
  describe('that breaks off after a commit', () => lostAnswers(database));
  describe('when a store is opened on it', () => opening(database));
});

function breaks(database: TestDatabase): void {
  test('is unavailable until it is back, and the store goes on', async () => {
    const { store, proxy } = await lossyStore(database);
    const place = await newPlace(store);
    proxy.cut();
    await expect(store.conversations.get(place.tenant, place.conversationId)).rejects.toEqual(
      UNAVAILABLE,
    );
    await expect(newTurn(store, place)).rejects.toEqual(UNAVAILABLE);
    proxy.mend();
    const turn = await newTurn(store, place);
    expect(await store.turns.get(turn.tenant, turn.turnId)).toMatchObject({ state: 'accepted' });
  });

  test.each(['INSERT INTO turnkeeper.items', 'INSERT INTO turnkeeper.events', 'COMMIT'])(
    'at %s keeps nothing of the transaction',
    async (text) => {
      const { store, proxy } = await lossyStore(database);
      const place = await newPlace(store);
      const before = await rowsOf(database, place.tenant);
      proxy.loseRequest(text);
      await expect(newTurn(store, place)).rejects.toEqual(UNAVAILABLE);
      await expect.poll(() => rowsOf(database, place.tenant), PATIENCE).toEqual(before);
      await newTurn(store, place);
    },
  );

  async function outcomeOf(error: Error): Promise<unknown> {
    const db = openDatabase({ connectionString: database.url, poolSize: 1 });
    onTestFinished(() => db.close());
    return db.transaction(() => Promise.reject(error)).catch((thrown: unknown) => thrown);
  }

  const withCode = (code: string) => Object.assign(new Error('write failed'), { code });

  test.each(['EPIPE', 'ECONNRESET', 'ETIMEDOUT', 'ENOTFOUND', 'EAI_AGAIN'])(
    'with %s is unavailable',
    async (code) => {
      expect(await outcomeOf(withCode(code))).toEqual(UNAVAILABLE);
    },
  );

  test('leaves nothing of a transaction to the next one', async () => {
    const db = openDatabase({ connectionString: database.url, poolSize: 1 });
    onTestFinished(() => db.close());
    const broken = db.transaction(async (tx) => {
      await tx.query('CREATE TEMP TABLE left_behind ()');
      throw withCode('ETIMEDOUT');
    });
    await expect(broken).rejects.toEqual(UNAVAILABLE);
    const found = await db.query("SELECT to_regclass('left_behind') AS found");
    expect(found).toEqual([{ found: null }]);
  });

  test('is told from a mistake of the caller', async () => {
    for (const mistake of [
      withCode('ERR_INVALID_ARG_TYPE'),
      new TypeError('connection of what?'),
    ]) {
      expect(await outcomeOf(mistake)).toBe(mistake);
    }
  });
}

function lostAnswers(database: TestDatabase): void {
  test('accepting again with the key gives the turn', async () => {
    const { store, proxy } = await lossyStore(database);
    const { tenant, ...place } = await newPlace(store);
    const request = { ...place, items: [QUESTION], key: keyOf('k') };
    proxy.loseAnswerTo('COMMIT');
    await expect(store.turns.accept(tenant, request)).rejects.toEqual(UNAVAILABLE);
    expect(await store.turns.accept(tenant, request)).toMatchObject({ kind: 'repeated' });
    expect(await itemsOf(store, { tenant, ...place })).toEqual([QUESTION]);
  });

  test('settling a response again writes nothing twice', async () => {
    const { store, proxy } = await lossyStore(database);
    const turn = await newTurn(store);
    const ref = attemptOf(turn);
    await beginRespond(store, ref);
    const { callId } = await store.steps.recordIntent(ref, { model: 'small', inputTokens: 1 });
    const items = [answer('yes'), callItem('a')];
    const reply = response(items, { events: [delta('yes')], usage: usageOf(callId, 10, 5) });
    proxy.loseAnswerTo('COMMIT');
    await expect(store.steps.settleResponse(ref, reply)).rejects.toEqual(UNAVAILABLE);
    await store.steps.settleResponse(ref, reply);
    expect(await itemsOf(store, turn)).toEqual([QUESTION, ...items]);
    expect(await stream(store, turn)).toEqual(['turn.started', 'yes']);
    expect(await store.turns.usage(turn.tenant, turn.turnId)).toMatchObject({ totalTokens: 15 });
  });

  test('settling a tool again writes nothing twice', async () => {
    const { store, proxy } = await lossyStore(database);
    const turn = await turnWithCalls(store, 'a');
    const ref = toolStep(turn, 'a');
    await beginTool(store, ref, 'a');
    proxy.loseAnswerTo('function_call_output');
    await expect(store.steps.settleTool(ref, toolResult('a'))).rejects.toEqual(UNAVAILABLE);
    await store.steps.settleTool(ref, toolResult('a'));
    expect(await outputsOf(store, turn)).toEqual([['a', 'result of a']]);
  });

  test('settling a compensation again, and closing it again, changes nothing', async () => {
    const { store, proxy } = await lossyStore(database);
    const turn = await failedTurn(store, 'a');
    const ref = compensateStep(turn, 'a');
    const close = () => store.compensations.close(turn.tenant, turn.turnId);
    const writes = [() => store.compensations.settle(ref, null), close];
    proxy.loseAnswerTo('COMMIT');
    await expect(beginCompensation(store, ref)).rejects.toEqual(UNAVAILABLE);
    expect(await beginCompensation(store, ref)).toMatchObject({ state: 'open' });
    for (const write of writes) {
      proxy.loseAnswerTo('COMMIT');
      await expect(write()).rejects.toEqual(UNAVAILABLE);
      const before = await rowsOf(database, turn.tenant);
      await write();
      expect(await rowsOf(database, turn.tenant)).toEqual(before);
    }
    expect(await store.turns.get(turn.tenant, turn.turnId)).toMatchObject({
      compensation: 'closed',
    });
  });

  test('storing files again gives the files that are there', async () => {
    const { store, proxy } = await lossyStore(database);
    const { tenant, turnId } = await newTurn(store);
    const content = Buffer.alloc(1_100_000, 'x');
    const made = ['a', 'b'].map((key) => ({
      turnId,
      name: key,
      mediaType: 'text/plain',
      content,
      key,
    }));
    proxy.loseAnswerTo('COMMIT');
    await expect(store.files.create(tenant, made)).rejects.toEqual(UNAVAILABLE);
    const before = await rowsOf(database, tenant);
    expect(before['file_parts']).toHaveLength(4);
    expect(await store.files.create(tenant, made)).toMatchObject([{ name: 'a' }, { name: 'b' }]);
    expect(await rowsOf(database, tenant)).toEqual(before);
  });

  test('sealing again tells how the turn ended', async () => {
    const { store, proxy } = await lossyStore(database);
    const turn = await newTurn(store);
    const seal = () => store.turns.seal(turn.tenant, turn.turnId, { status: 'completed' });
    proxy.loseAnswerTo('COMMIT');
    await expect(seal()).rejects.toEqual(UNAVAILABLE);
    expect(await seal()).toMatchObject({ status: 'completed', won: false });
    await expectSealedSoundly(database, turn);
  });

  test('extending a summary again changes nothing, and says that it was not this one', async () => {
    const { store, proxy } = await lossyStore(database);
    const turn = await newTurn(store);
    const { tenant, conversationId } = turn;
    await beginRespond(store, attemptOf(turn));
    await store.steps.settleResponse(attemptOf(turn), response([], { summarize: 1 }));
    const summary = { text: 'They asked for a parcel.', through: 1 };
    const extend = () => store.summaries.extend(tenant, conversationId, { after: 0, summary });
    proxy.loseAnswerTo('SET summary = ');
    await expect(extend()).rejects.toEqual(UNAVAILABLE);
    expect(await extend()).toBeNull();
    expect(await store.conversations.get(tenant, conversationId)).toMatchObject({ summary });
    expect(await store.summaries.work(tenant, conversationId)).toBeNull();
  });

  test('the appender shows nothing twice', async () => {
    const { store, proxy } = await lossyStore(database);
    const turn = await newTurn(store);
    const ref = attemptOf(turn);
    await beginRespond(store, ref);
    const appender = createAppender(store.events);
    for (const text of ['a', 'b', 'c']) {
      proxy.loseAnswerTo('append_events');
      appender.append(ref, delta(text));
      await appender.flush(ref);
    }
    appender.release(ref);
    await appender.close();
    expect(await stream(store, turn)).toEqual(['turn.started', 'a', 'b', 'c']);
  });
}

describePostgres('a PostgreSQL server', (database) => {
  test('that ends a connection in mid-transaction is unavailable, and nothing was written', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const before = await rowsOf(database, place.tenant);
    const other = openDatabase({ connectionString: database.url, poolSize: 2 });
    onTestFinished(() => other.close());
    const ended = other.transaction(async (tx) => {
      await tx.query('SELECT 1 FROM turnkeeper.conversations WHERE id = $1 FOR UPDATE', [
        place.conversationId,
      ]);
      const accepting = expect(newTurn(store, place)).rejects.toEqual(UNAVAILABLE);
      await terminateBlocked(database);
      await accepting;
    });
    await ended;
    expect(await rowsOf(database, place.tenant)).toEqual(before);
    expect(await appendOne(store, attemptOf(await newTurn(store, place)), 0, 'x')).toHaveLength(1);
  });

  test('does not keep its locks when its process freezes', async () => {
    const { store } = database;
    const place = await newPlace(store);
    const other = openDatabase({ connectionString: database.url, poolSize: 1 });
    onTestFinished(() => other.close());
    let thaw: () => void = () => undefined;
    const frozen = new Promise<void>((resolve) => (thaw = resolve));
    let locked: () => void = () => undefined;
    const holdsLock = new Promise<void>((resolve) => (locked = resolve));
    const transaction = other.transaction(async (tx) => {
      await tx.query('SELECT 1 FROM turnkeeper.conversations WHERE id = $1 FOR UPDATE', [
        place.conversationId,
      ]);
      locked();
      await frozen;
    });
    const refused = expect(transaction).rejects.toEqual(UNAVAILABLE);
    await holdsLock;
    await newTurn(store, place);
    thaw();
    await refused;
  });

  test('that lets a transaction lose a deadlock gets it once more', async () => {
    const db = openDatabase({ connectionString: database.url, poolSize: 2 });
    onTestFinished(() => db.close());
    await database.sql('CREATE TABLE pair (id int PRIMARY KEY, n int)');
    await database.sql('INSERT INTO pair VALUES (1, 0), (2, 0)');
    let attempts = 0;
    let met: () => void = () => undefined;
    const bothHoldOne = new Promise<void>((resolve) => (met = resolve));
    const add = (first: number, second: number) =>
      db.transaction(async (tx) => {
        await tx.query('UPDATE pair SET n = n + 1 WHERE id = $1', [first]);
        if (++attempts === 2) met();
        await bothHoldOne;
        await tx.query('UPDATE pair SET n = n + 1 WHERE id = $1', [second]);
      });
    await Promise.all([add(1, 2), add(2, 1)]);
    // The loser may meet the winner once more before that one has gone on.
    expect(attempts).toBeGreaterThanOrEqual(3);
    expect(await database.sql('SELECT n FROM pair')).toEqual([{ n: 2 }, { n: 2 }]);
  });
});

/** Ends the one connection that waits for a lock, as an operator would. */
async function terminateBlocked(database: TestDatabase): Promise<void> {
  const terminate = () =>
    database.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
  await expect.poll(terminate, PATIENCE).toHaveLength(1);
}
