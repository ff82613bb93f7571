import { expect, test } from 'vitest';
import type { NewEvent, TurnEvent } from '../../../src/contracts/store.ts';
import { answerReader } from '../../../src/conversation/answer-text.ts';
import type { TestDatabase } from '../../support/stores.ts';
import {
  RESPOND,
  appendOne,
  answer,
  attemptOf,
  beginRespond,
  beginTool,
  callItem,
  delta,
  itemsOf,
  newTurn,
  readEvents,
  response,
  stream,
  toolResult,
  toolStep,
  type TurnAt,
} from '../fixtures.ts';

const NOW = 0;

const whole = (id: string, text: string): NewEvent => ({
  type: 'response.output_item.done',
  item: { ...answer(text), id },
});

export function folding(database: TestDatabase): void {
  /** A word taken back, a message, a tool call, and an answer that its turn was ended over. */
  async function cutTurn(): Promise<TurnAt> {
    const { store } = database;
    const turn = await newTurn(store);
    await beginRespond(store, attemptOf(turn));
    await appendOne(store, attemptOf(turn), 0, 'No', ' way');
    const again = attemptOf(turn, RESPOND, 2);
    await beginRespond(store, again);
    await store.events.append([
      { ref: again, position: 0, events: [delta('Let me ', 'm1'), delta('look.', 'm1')] },
    ]);
    const items = [answer('Let me look.'), callItem('a')];
    const events = [whole('m1', 'Let me look.')];
    await store.steps.settleResponse(again, response(items, { events }));
    await beginTool(store, toolStep(turn, 'a'), 'a');
    await store.steps.settleTool(toolStep(turn, 'a'), toolResult('a'));
    const second = attemptOf(turn, 'respond:2');
    await beginRespond(store, second, ['tool:a']);
    await store.events.append([
      { ref: second, position: 0, events: [delta('It is \u0000', 'm2'), delta('on its', 'm2')] },
    ]);
    await seal(turn, 'cancelled');
    return turn;
  }

  const seal = ({ tenant, turnId }: TurnAt, status: 'cancelled' | 'completed' = 'completed') =>
    database.store.turns.seal(tenant, turnId, { status });

  async function foldAll(olderThanMs = NOW): Promise<void> {
    while ((await database.store.sweep.foldEvents(olderThanMs, 10)) > 0);
  }

  const textsOf = (events: TurnEvent[]) => {
    const reader = answerReader();
    for (const event of events) reader.read(event);
    return reader.texts();
  };

  test('leaves every reader with the same texts, wherever it had got to', async () => {
    const { store } = database;
    const turn = await cutTurn();
    const before = await readEvents(store, turn);
    await foldAll();
    const after = await readEvents(store, turn);
    const texts = ['Let me look.', 'It is \u0000on its'];
    expect(textsOf(before)).toEqual(texts);
    expect(textsOf(after)).toEqual(texts);
    for (let k = 0; k <= before.length; k++) {
      const rest = await readEvents(store, turn, k);
      expect(textsOf([...before.slice(0, k), ...rest]), `read up to ${k}`).toEqual(texts);
      const kept = after.filter(({ number }) => number <= k);
      expect(textsOf([...kept, ...rest]), `read up to ${k} once folded`).toEqual(texts);
    }
    expect((await itemsOf(store, turn)).at(-1)).toMatchObject({
      status: 'incomplete',
      content: [{ text: 'It is \u0000on its' }],
    });
  });

  test('takes deltas away and nothing else, and changes no number', async () => {
    const { store } = database;
    const turn = await cutTurn();
    const before = await readEvents(store, turn);
    await foldAll();
    const after = await readEvents(store, turn);
    const isDelta = ({ event }: TurnEvent) => event.type.endsWith('.delta');
    const isFold = ({ event }: TurnEvent) => event.type === 'turn.folded';
    expect(after.filter((entry) => !isFold(entry))).toEqual(
      before.filter((entry) => !isDelta(entry)),
    );
    const folds = after.filter(isFold).map(({ number, event: { from, to } }) => [number, from, to]);
    expect(folds).toEqual([
      [4, 3, 4],
      [7, 6, 7],
      [14, 13, 14],
    ]);
  });

  test('is done once, for a turn that ended long enough ago', async () => {
    const { store } = database;
    const [running, ended] = [await newTurn(store), await cutTurn()];
    await beginRespond(store, attemptOf(running));
    await appendOne(store, attemptOf(running), 0, 'x');
    await foldAll(60_000);
    expect(await stream(store, ended)).not.toContain('turn.folded');
    await foldAll();
    const folded = await readEvents(store, ended);
    await foldAll();
    expect(await readEvents(store, ended)).toEqual(folded);
    expect(await stream(store, running)).toEqual(['turn.started', 'x']);
  });

  test('takes the turns that ended first, as many as it is asked for', async () => {
    const { store } = database;
    await foldAll();
    const turns = [await cutTurn(), await cutTurn(), await cutTurn()];
    expect(await store.sweep.foldEvents(NOW, 2)).toBe(2);
    const streams = await Promise.all(turns.map((turn) => stream(store, turn)));
    expect(streams.map((events) => events.includes('turn.folded'))).toEqual([true, true, false]);
    expect(await store.sweep.foldEvents(NOW, 2)).toBe(1);
    expect(await store.sweep.foldEvents(NOW, 2)).toBe(0);
  });

  test('at once in two workers is done once', async () => {
    const { store } = database;
    const turns = [];
    for (let n = 0; n < 6; n++) turns.push(await cutTurn());
    await Promise.all([1, 2, 3].map(() => foldAll()));
    await foldAll();
    for (const turn of turns) {
      const events = await readEvents(store, turn);
      expect(events.filter(({ event }) => event.type === 'turn.folded')).toHaveLength(3);
    }
  });

  test('leaves a turn without deltas as it is', async () => {
    const { store } = database;
    const turn = await newTurn(store);
    await seal(turn);
    const before = await readEvents(store, turn);
    await foldAll();
    expect(await readEvents(store, turn)).toEqual(before);
  });
}
