import { expect, test } from 'vitest';
import type { AcceptTurn, Turn } from '../../src/contracts/store.ts';
import { describePostgres } from '../support/stores.ts';
import { newTurn, type Place, type TurnAt } from './fixtures.ts';
import { expectSealedSoundly } from './inspect.ts';
import { ENQUEUE, holderOf, interrupting, messageOf, said, statusOf, waiting } from './queues.ts';

const INTERRUPT = { policy: 'interrupt' } as const;
const STARTERS = 20;
const ROUNDS = 15;

const times = <T>(count: number, make: (n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => make(n)));

describePostgres('a queue, at the same time', (database) => {
  const turns = () => database.store.turns;
  const accept = (place: Place, name: string, whenBusy: AcceptTurn['whenBusy']) => {
    const { tenant, conversationId, assistantId } = place;
    const request = { conversationId, assistantId, items: [messageOf(name)] };
    return turns().accept(tenant, { ...request, ...(whenBusy && { whenBusy }) });
  };
  const seal = ({ tenant, turnId }: TurnAt, status: 'completed' | 'cancelled' = 'completed') =>
    turns().seal(tenant, turnId, { status });
  const started = async () => {
    const turn = await newTurn(database.store, undefined, { items: [messageOf('first')] });
    await turns().markStarted(turn.tenant, turn.turnId);
    return turn;
  };
  const listed = async ({ tenant, conversationId }: Place) => {
    const { data } = await turns().list(tenant, conversationId, { limit: 100 });
    return data;
  };

  /** Ends one turn after another, as long as one holds the conversation. Answers them in that order. */
  async function runThrough(place: Place): Promise<string[]> {
    const order: string[] = [];
    for (let id = await holderOf(database, place); id !== null;) {
      order.push(id);
      await seal({ ...place, turnId: id });
      id = await holderOf(database, place);
    }
    return order;
  }

  test('takes all that start turns to wait, up to its bound, each once', async () => {
    const first = await started();
    const whenBusy = { policy: 'enqueue', maxQueued: 15 } as const;
    const outcomes = await times(STARTERS, (n) => accept(first, `${n}`, whenBusy));
    const ids = outcomes.flatMap((outcome) => (outcome.kind === 'busy' ? [] : [outcome.turn.id]));
    expect(ids).toHaveLength(15);
    const refused = outcomes.filter((outcome) => outcome.kind === 'busy' && outcome.full);
    expect(refused).toHaveLength(5);
    const order = await runThrough(first);
    expect(order).toEqual((await listed(first)).map(({ id }) => id));
    expect([...order].sort()).toEqual([first.turnId, ...ids].sort());
    expect(new Set(await said(database, first)).size).toBe(16);
    expect(await said(database, first)).toHaveLength(16);
  });

  test('is left to one of all that interrupt the same turn', async () => {
    const old = await started();
    const outcomes = await times(STARTERS, (n) => accept(old, `${n}`, INTERRUPT));
    expect(outcomes.map(({ kind }) => kind)).toEqual(outcomes.map(() => 'accepted'));
    await seal(old, 'cancelled');
    const ended = (await listed(old)).filter(({ id }) => id !== old.turnId);
    const left = ended.filter(({ state }) => state !== 'sealed');
    expect(left).toMatchObject([{ state: 'accepted', interrupts: old.turnId }]);
    const dropped = ended.filter(({ state }) => state === 'sealed');
    expect(new Set(dropped.map(({ reason }) => reason))).toEqual(new Set(['superseded']));
    // The last of them, for each drops those before it.
    expect(left[0]?.id).toBe(ended.at(-1)?.id);
    expect(await said(database, old)).toHaveLength(3);
  });

  test('whose turn is interrupted twice keeps the later one', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const old = await started();
      const both = await Promise.all([
        interrupting(database.store, old, 'a'),
        interrupting(database.store, old, 'b'),
      ]);
      await seal(old, 'cancelled');
      const found = await Promise.all(both.map((turn) => statusOf(database, turn)));
      expect(found.sort()).toEqual([
        ['cancelled', 'superseded'],
        ['in_progress', null],
      ]);
    }
  });

  test('loses nobody when a turn comes while the last one ends', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const first = await started();
      const [sealed, ...turns] = await Promise.all([
        seal(first),
        waiting(database.store, first, 'a'),
        waiting(database.store, first, 'b'),
      ]);
      expect(sealed).toMatchObject({ won: true });
      const order = await runThrough(first);
      expect(order.sort()).toEqual(turns.map(({ turnId }) => turnId).sort());
      for (const turn of turns) await expectSealedSoundly(database, turn);
      expect(await said(database, first)).toHaveLength(3);
    }
  });

  test('tells truly what was interrupted when the turn ends as it is interrupted', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const old = await started();
      const [, next] = await Promise.all([
        seal(old, round % 2 === 0 ? 'completed' : 'cancelled'),
        interrupting(database.store, old, 'new'),
      ]);
      const { interrupts } = await turns().get(next.tenant, next.turnId);
      const { reason } = await turns().get(old.tenant, old.turnId);
      expect(interrupts).toBe(reason === 'interrupted' ? old.turnId : null);
      expect(await said(database, old)).toHaveLength(interrupts === null ? 2 : 3);
      expect(await holderOf(database, old)).toBe(next.turnId);
    }
  });

  test('hands over or not to a turn that is cancelled just then, and to the next one if not', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const first = await started();
      const second = await waiting(database.store, first, 'second');
      const third = await waiting(database.store, first, 'third');
      const [sealed, cancelled] = await Promise.all([seal(first), seal(second, 'cancelled')]);
      expect(cancelled).toMatchObject({ won: true, status: 'cancelled' });
      // One of them has handed the conversation to the third.
      const next = [sealed?.next?.turnId, cancelled?.next?.turnId];
      expect(next.filter((id) => id === third.turnId)).toHaveLength(1);
      expect(await holderOf(database, first)).toBe(third.turnId);
      await expectSealedSoundly(database, second);
    }
  });

  test('comes through turns of every policy, items and ends at once, with nobody left in it', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const place = await started();
      await times(12, async (n) => {
        const mine = await act(place, n);
        if (mine && n % 2 === 0) await seal({ ...place, turnId: mine.id }, 'cancelled');
      });
      await runThrough(place);
      const all = await listed(place);
      expect(all.filter(({ state }) => state !== 'sealed')).toEqual([]);
      for (const { id } of all) await expectSealedSoundly(database, { ...place, turnId: id });
      const left = 'SELECT 1 FROM turnkeeper.queue WHERE conversation_id = $1';
      expect(await database.sql(left, [place.conversationId])).toEqual([]);
    }
  });

  async function act(place: Place, n: number): Promise<Turn | null> {
    if (n % 4 === 3) {
      const items = [messageOf(`added ${n}`)];
      const { tenant, conversationId } = place;
      await database.store.conversations.addItems(tenant, conversationId, { items, maxQueued: 20 });
      return null;
    }
    const accepted = await accept(place, `${n}`, [ENQUEUE, INTERRUPT, undefined][n % 4]);
    return accepted.kind === 'busy' ? null : accepted.turn;
  }
});
