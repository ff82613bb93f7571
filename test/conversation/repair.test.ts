import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Item } from '../../src/contracts/json.ts';
import type { ConversationItem, Repair } from '../../src/contracts/store.ts';
import { repairHistory } from '../../src/conversation/repair.ts';
import { brokenHistory, historyOf, soundHistory } from '../support/broken-histories.ts';
import { mistakesOf } from '../support/input-rules.ts';

const STORED = { stored: true };
const itemsOf = (history: ConversationItem[]) => history.map(({ item }) => item);

const user: Item = { type: 'message', role: 'user', content: 'Hi' };
const answer: Item = { type: 'message', id: 'msg_1', role: 'assistant', content: 'Hello' };
const call = (id: string, more = {}): Item => ({
  ...{ type: 'function_call', call_id: id, name: 'f', arguments: '{}' },
  ...more,
});
const output = (id: string, text = 'done'): Item => ({
  ...{ type: 'function_call_output', call_id: id, output: text },
});
const reasoning = (id: string, more = {}): Item => ({
  type: 'reasoning',
  id,
  summary: [],
  ...more,
});

function repaired(items: (Item | [string | null, Item])[], options = STORED) {
  const { items: kept, repairs } = repairHistory(historyOf(items), options);
  return { items: itemsOf(kept), repairs };
}

const UNKNOWN = { output: expect.stringContaining('outcome_unknown') as string };

describe('a history that is repaired', () => {
  it('breaks no rule of the model, whatever it was', () => {
    fc.assert(
      fc.property(brokenHistory, fc.boolean(), (history, stored) => {
        const { items } = repairHistory(history, { stored });
        expect(mistakesOf(itemsOf(items), { stored })).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('needs no other repair', () => {
    fc.assert(
      fc.property(brokenHistory, fc.boolean(), (history, stored) => {
        const { items } = repairHistory(history, { stored });
        expect(repairHistory(items, { stored })).toEqual({ items, repairs: [] });
      }),
      { numRuns: 300 },
    );
  });

  it('begins like that of every shorter one, up to the first call that waits for its output', () => {
    fc.assert(
      fc.property(brokenHistory, fc.nat(), fc.boolean(), (history, cut, stored) => {
        const shorter = repairHistory(history.slice(0, cut % (history.length + 1)), { stored });
        const longer = repairHistory(history, { stored });
        const settled = shorter.items.slice(0, openEndOf(shorter));
        expect(longer.items.slice(0, settled.length)).toEqual(settled);
      }),
      { numRuns: 300 },
    );
  });

  it('is the very one that it was where nothing is broken', () => {
    fc.assert(
      fc.property(soundHistory, fc.boolean(), (history, stored) => {
        expect(mistakesOf(itemsOf(history), { stored })).toEqual([]);
        const { items, repairs } = repairHistory(history, { stored });
        expect(repairs).toEqual([]);
        expect(items.every((entry, index) => entry === history[index])).toBe(true);
        expect(items).toHaveLength(history.length);
      }),
    );
  });

  it('may be as long as it likes', () => {
    const [block = []] = fc.sample(brokenHistory, { numRuns: 1, seed: 6 });
    const items = Array.from(
      { length: 10_000 },
      (_, n) => block[n % Math.max(1, block.length)]?.item ?? user,
    );
    const { items: kept } = repairHistory(historyOf(items), STORED);
    expect(mistakesOf(itemsOf(kept))).toEqual([]);
  });
});

/** Where a repaired history may still change: at the first call without an output, and behind the last reply. */
function openEndOf({ items, repairs }: { items: ConversationItem[]; repairs: Repair[] }): number {
  const waiting = repairs.filter(({ rule }) => rule === 'call_without_output');
  const first = Math.min(...waiting.map(({ position }) => position));
  const index = items.findIndex(({ position }) => position >= first);
  const replied = items.findLastIndex(({ item }) => !item.type.endsWith('_output')) + 1;
  return index < 0 ? replied : Math.min(index, replied);
}

describe('calls and outputs', () => {
  it('without each other: a call is told that nobody knows, an output goes', () => {
    const { items, repairs } = repaired([
      user,
      call('a'),
      call('b'),
      output('b'),
      output('c'),
      user,
    ]);
    expect(items).toEqual([
      ...[user, call('a'), call('b')],
      expect.objectContaining({ call_id: 'a', ...UNKNOWN }),
      ...[output('b'), user],
    ]);
    expect(repairs).toEqual([
      { rule: 'call_without_output', position: 2 },
      { rule: 'output_without_call', position: 5 },
    ]);
  });

  it('in the wrong order: the output goes behind the reply that calls', () => {
    const { items, repairs } = repaired([output('a'), user, call('a'), call('b'), output('b')]);
    expect(items).toEqual([user, call('a'), call('b'), output('a'), output('b')]);
    expect(repairs).toEqual([{ rule: 'output_before_call', position: 1 }]);
  });

  it('twice: the first ones stay', () => {
    const { items, repairs } = repaired([call('a'), call('a'), output('a'), output('a', 'again')]);
    expect(items).toEqual([call('a'), output('a')]);
    expect(repairs.map(({ rule }) => rule)).toEqual(['doubled_call', 'doubled_output']);
  });

  it('under a call id that comes again after its output stay, as some servers count them', () => {
    const items = [call('a'), output('a'), user, call('a'), output('a', 'again')];
    expect(repaired(items)).toEqual({ items, repairs: [] });
  });

  it('under a call id that no model takes have another one, the same for both', () => {
    const long = 'x'.repeat(65);
    const { items } = repaired([call(long), output(long)]);
    expect(items[0]?.['call_id']).toBe(items[1]?.['call_id']);
    expect(String(items[0]?.['call_id']).length).toBeLessThanOrEqual(64);
  });

  it('of a tool that no tool’s name can be have a name that may be sent', () => {
    const { items } = repaired([call('a', { name: 'functions.f g' }), output('a')]);
    expect(items[0]).toMatchObject({ name: 'functions_f_g' });
  });

  it('that nobody can make up an output for are left out', () => {
    const { items, repairs } = repaired([user, { type: 'shell_call', id: 's', call_id: 'a' }]);
    expect(items).toEqual([user]);
    expect(repairs).toEqual([{ rule: 'call_without_output', position: 2 }]);
  });
});

describe('reasoning', () => {
  it('alone goes, also where the message behind it is another turn’s', () => {
    const { items, repairs } = repaired([
      ['t1', reasoning('r1')],
      ['t2', answer],
      ['t2', reasoning('r2')],
    ]);
    expect(items).toEqual([answer]);
    expect(repairs.map(({ rule }) => rule)).toEqual(['reasoning_alone', 'reasoning_alone']);
  });

  it('that the provider has not stored goes unless it is encrypted, and what it led to loses its id', () => {
    const kept = reasoning('r1', { encrypted_content: 'gAAAA' });
    const { items, repairs } = repaired([kept, call('a'), output('a'), reasoning('r2'), answer], {
      stored: false,
    });
    const { id: _id, ...nameless } = answer;
    expect(items).toEqual([kept, call('a'), output('a'), nameless]);
    expect(repairs.map(({ rule }) => rule)).toEqual(['reasoning_not_kept', 'id_without_reasoning']);
  });

  it('that comes twice goes the second time', () => {
    const { items } = repaired([
      reasoning('r1'),
      answer,
      user,
      reasoning('r1'),
      call('a'),
      output('a'),
    ]);
    expect(items).toEqual([reasoning('r1'), answer, user, call('a'), output('a')]);
  });
});

describe('items alone', () => {
  it.each<[string, Item, Repair['rule']]>([
    ['of a type that is no input', { type: 'hologram', id: 'h' }, 'unusable_item'],
    [
      'that only refer to what a provider may have',
      { type: 'item_reference', id: 'm' },
      'unusable_item',
    ],
    ['without what they need', { type: 'function_call', name: 'f' }, 'unusable_item'],
    ['that say nothing', { type: 'message', role: 'assistant', content: [] }, 'empty_message'],
  ])('%s go', (_what, item, rule) => {
    expect(repaired([user, item])).toEqual({ items: [user], repairs: [{ rule, position: 2 }] });
  });

  it('say what they said, in parts that their role may send', () => {
    const parts = [{ type: 'input_text', text: 'Hello' }, { type: 'hologram' }];
    const { items } = repaired([{ type: 'message', role: 'assistant', content: parts }]);
    expect(items).toMatchObject([{ content: [{ type: 'output_text', text: 'Hello' }] }]);
  });

  it('name a file of a sandbox, which no model can read', () => {
    const file = {
      type: 'input_file',
      file_url: 'sandbox:/mnt/data/plan.csv',
      filename: 'plan.csv',
    };
    const { items, repairs } = repaired([{ type: 'message', role: 'user', content: [file] }]);
    expect(items).toMatchObject([
      { content: [{ type: 'input_text', text: '[plan.csv is not available any more]' }] },
    ]);
    expect(repairs).toEqual([{ rule: 'lost_file', position: 1 }]);
  });

  it('tell of code whose container has expired, and are not sent to it', () => {
    const code: Item = {
      ...{ type: 'code_interpreter_call', id: 'ci_1', status: 'completed', container_id: 'cntr_1' },
      ...{ code: 'print(6 * 7)', outputs: [{ type: 'logs', logs: '42' }] },
    };
    const history = historyOf([reasoning('r'), code, answer, user]);
    const later = (minutes: number) =>
      history.map((entry, n) =>
        n < 3 ? entry : { ...entry, createdAt: new Date(minutes * 60_000) },
      );
    expect(repairHistory(later(19), STORED).repairs).toEqual([]);
    const { items } = repairHistory(later(21), STORED);
    expect(JSON.stringify(items[0]?.item)).toMatch(/print\(6 \* 7\).*42/);
    expect(mistakesOf(itemsOf(items))).toEqual([]);
    expect(JSON.stringify(items)).not.toContain('cntr_1');
  });

  it.each<[string, Item, Partial<Item>]>([
    ['a status of answers alone', { ...user, status: 'queued' }, { role: 'user' }],
    ['an id of nobody', { ...user, id: 'y'.repeat(65) }, { role: 'user' }],
    ['half a character', { ...user, content: 'a\ud800b' }, { content: 'a\ufffdb' }],
    ['who made them', { ...user, created_by: 'me' }, { role: 'user' }],
  ])('lose %s', (_what, item, expected) => {
    const { items } = repaired([item]);
    expect(items).toMatchObject([expected]);
    expect(mistakesOf(items)).toEqual([]);
    expect(items[0]).not.toHaveProperty('created_by');
  });
});
