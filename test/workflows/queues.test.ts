import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { StartTurn } from '../../src/client/start-turn.ts';
import type { Item, JsonObject } from '../../src/contracts/json.ts';
import type { Turn } from '../../src/contracts/store.ts';
import { readEvents, shownTexts } from '../support/reading.ts';
import { hasPart } from '../support/require-part.ts';
import {
  answer,
  closedAs,
  createsOf,
  heldAnswer,
  newTalk,
  resultOf,
  SOON,
  untilShown,
  type Talk,
} from '../support/talk.ts';
import { useWorld } from '../support/use-world.ts';

const world = useWorld();
beforeAll(async () => {
  if (hasPart('temporal') && hasPart('postgres')) await world().startWorker();
});

const start = (talk: Talk, input: string, whenBusy: NonNullable<StartTurn['whenBusy']>) =>
  world().turnkeeper.turns.start({ ...talk, input, whenBusy });

/** A turn in mid-answer, until the model is told to release. */
async function talking(talk: Talk, text: string, ...later: string[]): Promise<Turn> {
  await world().offline.script([heldAnswer(text), ...later.map(answer)]);
  const turn = await start(talk, 'First?', 'reject');
  await untilShown(world(), turn);
  return turn;
}

/** What a model call was sent, each item as who said what. */
async function inputs(): Promise<string[][]> {
  const creates = await createsOf(world());
  return creates.map(({ body }) => ((body as JsonObject)['input'] as Item[]).map(line));
}

function line({ role, content }: Item): string {
  const parts = content as { text: string }[];
  return `${String(role)}: ${parts.map(({ text }) => text).join('')}`;
}

describe('turns of one conversation', { timeout: 60_000 }, () => {
  it('that wait run in order, and see what the others were answered and what was added', async () => {
    const talk = await newTalk(world());
    const first = await talking(talk, 'One of three.', 'Two.', 'Three.');
    const second = await start(talk, 'Second?', 'enqueue');
    const added = await world().turnkeeper.conversations.addItems(talk.conversationId, {
      items: [{ role: 'user', content: 'By the way.' }],
      whenBusy: 'enqueue',
    });
    const third = await start(talk, 'Third?', 'enqueue');
    expect([second.state, added.queued, third.state]).toEqual(['queued', true, 'queued']);
    const reading = readEvents(world().turnkeeper, third.id);
    await world().offline.release();

    const results = [];
    for (const turn of [first, second, third]) results.push(await resultOf(world(), turn));
    expect(results.map(({ status, answer: said }) => [status, said])).toEqual([
      ['completed', 'One of three.'],
      ['completed', 'Two.'],
      ['completed', 'Three.'],
    ]);
    const history = ['user: First?', 'assistant: One of three.', 'user: Second?'];
    const rest = ['assistant: Two.', 'user: By the way.', 'user: Third?'];
    expect(await inputs()).toEqual([['user: First?'], history, [...history, ...rest]]);
    const events = await reading;
    expect(events.map(({ number }) => number)).toEqual(events.map((_, index) => index + 1));
    expect(events[0]?.event.type).toBe('turn.started');
    expect(shownTexts(events)).toEqual(['Three.']);
    expect(await closedAs(world(), third)).toBe('COMPLETED');
  });

  it('that interrupt one in mid-answer come at once, and the model is told', async () => {
    const talk = await newTalk(world());
    const old = await talking(talk, 'A long answer that nobody wants.', 'Short.');
    const waiting = await start(talk, 'Second?', 'enqueue');
    const next = await start(talk, 'Stop that!', 'interrupt');

    expect(await resultOf(world(), next)).toMatchObject({
      status: 'completed',
      answer: 'Short.',
      turn: { interrupts: old.id },
    });
    expect(await resultOf(world(), waiting)).toMatchObject({
      status: 'cancelled',
      reason: 'superseded',
    });
    const { status, reason, answer: shown } = await resultOf(world(), old);
    expect([status, reason]).toEqual(['cancelled', 'interrupted']);
    expect(shown).not.toBe('');
    const [, input] = await inputs();
    expect(input).toEqual([
      'user: First?',
      `assistant: ${shown}`,
      expect.stringMatching(/^developer: .*interrupted/),
      'user: Stop that!',
    ]);
    await vi.waitFor(async () => {
      expect((await createsOf(world()))[0]).toMatchObject({ aborted: true });
    }, SOON);
    expect(await closedAs(world(), old)).toBe('CANCELLED');
  });
});
