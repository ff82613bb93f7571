import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Appender, EventStore, StepRef } from '../../src/contracts/store.ts';
import { createAppender } from '../../src/store/appender.ts';
import { EventsInMemory } from './events-in-memory.ts';
import { UNAVAILABLE, delta, refusal } from './fixtures.ts';

const refOf = (step: string): StepRef => ({
  tenant: 'tenant',
  turnId: 'turn',
  step,
  fence: { scheduledMs: 1, attempt: 1 },
});

let events: EventsInMemory;
let appender: Appender;
let a: StepRef;
let b: StepRef;

beforeEach(() => {
  vi.useFakeTimers();
  events = new EventsInMemory();
  appender = createAppender(events as unknown as EventStore);
  [a, b] = [refOf('a'), refOf('b')];
});

afterEach(async () => {
  await appender.close();
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

function append(ref: StepRef, ...texts: string[]): void {
  // Of different messages, so that they are not joined.
  for (const text of texts) appender.append(ref, delta(text, text));
}

describe('when events are written', () => {
  test('the first delta of a step goes at once, with what came before it', async () => {
    appender.append(a, { type: 'response.created' });
    await pass(1);
    expect(events.appends).toEqual([]);
    append(a, '1');
    await pass(1);
    expect(events.shown(a)).toEqual([undefined, '1']);
  });

  test('the first delta of another kind goes at once as well', async () => {
    append(a, '1');
    await pass(1);
    appender.append(a, { ...delta('2'), type: 'response.refusal.delta' });
    await pass(1);
    expect(events.shown(a)).toEqual(['1', '2']);
  });

  test('what comes before the first delta gathers like the rest', async () => {
    appender.append(a, { type: 'response.created' });
    await pass(49);
    expect(events.appends).toEqual([]);
    await pass(2);
    expect(events.appends).toEqual([['a']]);
  });

  test('the first of a step goes at once while another step gathers its own', async () => {
    append(a, '1');
    await pass(1);
    append(a, '2');
    await pass(5);
    append(b, '1');
    await pass(1);
    expect(events.shown(b)).toEqual(['1']);
  });

  test('later ones of all steps gather for 50 ms and go together', async () => {
    append(a, '1');
    append(b, '1');
    await pass(1);
    append(a, '2');
    await pass(20);
    append(b, '2');
    append(a, '3');
    await pass(28);
    expect(events.appends).toEqual([['a', 'b']]);
    await pass(2);
    expect(events.appends).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
    expect([events.shown(a), events.shown(b)]).toEqual([
      ['1', '2', '3'],
      ['1', '2'],
    ]);
  });

  test('neighbouring deltas of one message are one event', async () => {
    for (const text of ['It ', 'is ', 'there.']) appender.append(a, delta(text));
    await appender.flush(a);
    append(a, 'x');
    await appender.flush(a);
    expect(events.shown(a)).toEqual(['It is there.', 'x']);
  });

  test('a flush writes what is queued without waiting', async () => {
    append(a, '1');
    await appender.flush(a);
    append(a, '2');
    await appender.flush(a);
    expect(events.shown(a)).toEqual(['1', '2']);
    await appender.flush(a);
    expect(events.appends).toHaveLength(2);
  });
});

describe('what is still unwritten', () => {
  test('is handed over once, joined, and not written', async () => {
    for (const text of ['It ', 'is']) appender.append(a, delta(text));
    expect(await appender.take(a)).toEqual([delta('It is')]);
    await pass(1_000);
    expect(events.appends).toEqual([]);
    expect(await appender.take(a)).toEqual([]);
  });

  test('does not have what is just being written', async () => {
    events.faults.push('away');
    append(a, '1');
    await pass(1);
    append(a, '2');
    const taking = appender.take(a);
    await pass(1_000);
    expect(await taking).toEqual([delta('2', '2')]);
    expect(events.shown(a)).toEqual(['1']);
  });

  test('is dropped when the step is released', async () => {
    append(a, '1');
    appender.release(a);
    await pass(1_000);
    expect(events.appends).toEqual([]);
  });
});

describe('a database that is away', () => {
  test('gets everything in order when it is back', async () => {
    events.faults.push('away', 'away', 'away');
    append(a, '1');
    await pass(100);
    append(a, '2');
    append(b, '1');
    await pass(2_000);
    expect([events.shown(a), events.shown(b)]).toEqual([['1', '2'], ['1']]);
    expect(appender.lost(a).aborted).toBe(false);
  });

  test('that had taken a batch is not given it again', async () => {
    events.faults.push('answer lost', 'away', 'answer lost');
    append(a, '1');
    append(b, '1');
    await pass(2_000);
    append(a, '2');
    await appender.flush(a);
    expect([events.shown(a), events.shown(b)]).toEqual([['1', '2'], ['1']]);
  });

  test('that had taken a batch and goes away once more when asked loses nobody the step', async () => {
    events.faults.push('answer lost');
    events.faultsWhenAsked.push(null, 'away');
    append(a, '1');
    append(b, '1');
    await pass(2_000);
    append(a, '2');
    append(b, '2');
    await Promise.all([appender.flush(a), appender.flush(b)]);
    expect([events.shown(a), events.shown(b)]).toEqual([
      ['1', '2'],
      ['1', '2'],
    ]);
  });

  test('for over a minute is given up, and every step is told so', async () => {
    events.faults.push(...Array.from({ length: 1_000 }, () => 'away' as const));
    append(a, '1');
    append(b, '1');
    await pass(59_000);
    expect(appender.lost(a).aborted).toBe(false);
    await pass(3_000);
    for (const ref of [a, b]) {
      expect(appender.lost(ref).reason).toEqual(UNAVAILABLE);
      expect(() => append(ref, '2')).toThrow('did not answer');
      await expect(appender.flush(ref)).rejects.toEqual(UNAVAILABLE);
      await expect(appender.take(ref)).rejects.toEqual(UNAVAILABLE);
      appender.release(ref);
    }
    events.faults.length = 0;
    const next = { ...a, fence: { scheduledMs: 2, attempt: 2 } };
    append(next, 'again');
    await appender.flush(next);
    expect(events.shown(next)).toEqual(['again']);
  });
});

describe('a batch that is refused', () => {
  test('tells its step that it was overtaken, and no other', async () => {
    append(a, '1');
    append(b, '1');
    await pass(1);
    events.taken.add(a);
    append(a, '2');
    append(b, '2');
    await pass(60);
    expect(appender.lost(a).reason).toEqual(refusal('step_fenced'));
    expect(() => append(a, '3')).toThrow('lost step a');
    await expect(appender.flush(a)).rejects.toEqual(refusal('step_fenced'));
    await expect(appender.take(a)).rejects.toEqual(refusal('step_fenced'));
    await appender.flush(b);
    expect([events.shown(a), events.shown(b)]).toEqual([['1'], ['1', '2']]);
  });

  test('because of its data stops nobody else', async () => {
    const c = refOf('c');
    events.broken.add(b);
    for (const ref of [a, b, c]) append(ref, '1');
    await pass(1);
    expect([events.shown(a), events.shown(b), events.shown(c)]).toEqual([['1'], [], ['1']]);
    expect(appender.lost(b).reason).toEqual(new Error('invalid byte sequence'));
    for (const ref of [a, c]) append(ref, '2');
    await pass(60);
    expect([events.shown(a), events.shown(c)]).toEqual([
      ['1', '2'],
      ['1', '2'],
    ]);
  });
});
