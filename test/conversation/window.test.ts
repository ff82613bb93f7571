import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Item } from '../../src/contracts/json.ts';
import type { ConversationItem, ConversationSummary } from '../../src/contracts/store.ts';
import { estimateItemTokens } from '../../src/conversation/tokens.ts';
import { summaryAndLatest, type ContextWindow } from '../../src/conversation/window.ts';

const words = (tokens: number) => 'word '.repeat(tokens);

const said = (role: string, tokens: number): Item => ({
  type: 'message',
  role,
  content: words(tokens),
});
const reasoning = (): Item => ({ type: 'reasoning', summary: [] });
const call = (id: string, tokens = 1): Item => ({
  type: 'function_call',
  call_id: id,
  name: 'look',
  arguments: words(tokens),
});
const output = (id: string, tokens: number): Item => ({
  type: 'function_call_output',
  call_id: id,
  output: words(tokens),
});

/** Turns by name, each with its items; positions as the store gives them. */
function conversation(turns: Record<string, Item[]>): ConversationItem[] {
  const entries = Object.entries(turns).flatMap(([turnId, items]) =>
    items.map((item) => ({ turnId, item })),
  );
  return entries.map((entry, n) => ({ ...entry, position: n + 1, createdAt: new Date(0) }));
}

/** Turns of about `tokens` tokens: a question and an answer. */
const plainTurns = (count: number, tokens: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, n) => [
      `t${n}`,
      [said('user', tokens / 2 - 4), said('assistant', tokens / 2 - 4)],
    ]),
  );

interface Seen {
  summary?: ConversationSummary;
  summaryWanted?: number;
}

type ShownWindow = Omit<ContextWindow, 'earlier' | 'current'> &
  Record<'earlier' | 'current', Item[]>;

function windowOf(items: ConversationItem[], budget: number, seen: Seen = {}): ShownWindow {
  const { summary = null, summaryWanted = summary?.through ?? 0 } = seen;
  const turnId = String(items.at(-1)?.turnId);
  const unsummarized = items.filter(
    ({ position, turnId: id }) => position > (summary?.through ?? 0) || id === turnId,
  );
  const window = summaryAndLatest({ turnId, items: unsummarized, summary, summaryWanted, budget });
  const itemsOf = (entries: ConversationItem[]) => entries.map(({ item }) => item);
  return { ...window, earlier: itemsOf(window.earlier), current: itemsOf(window.current) };
}

const summaryText = (summary: Item | null) => JSON.stringify(summary);

describe('what a model is shown of a conversation', () => {
  const items = conversation({ ...plainTurns(10, 100), now: [said('user', 10)] });

  it('is all of it, as long as it fits', () => {
    expect(windowOf(items, 2_000)).toMatchObject({ summary: null, leftOut: 0, summarize: null });
    expect(windowOf(items, 2_000).earlier).toHaveLength(20);
  });

  it('is all of it while there is little room left, and a summary is asked for', () => {
    const window = windowOf(items, 1_060);
    expect(window).toMatchObject({ leftOut: 0, summarize: 8 });
    expect(window.earlier).toHaveLength(20);
  });

  it('is its end where it does not fit, in whole turns, to about six tenths of the room', () => {
    const window = windowOf(items, 850);
    expect(window).toMatchObject({ summary: null, leftOut: 10, summarize: 10 });
    expect(window.earlier).toEqual(items.slice(10, 20).map(({ item }) => item));
    expect(window.tokens).toBeLessThanOrEqual(850);
  });

  it('has a note on an earlier turn where that came, while this turn ran, however full it is', () => {
    const first = said('user', 10);
    const later = [said('assistant', 10), said('user', 10)];
    const note = said('developer', 40);
    const running = conversation({ ...plainTurns(10, 100), now: [first] });
    const at = (position: number, turnId: string, item: Item) => ({
      position,
      turnId,
      item,
      createdAt: new Date(0),
    });
    const entries = [
      ...running,
      at(22, 't9', note),
      ...later.map((item, n) => at(23 + n, 'now', item)),
    ];
    for (const budget of [2_000, 850, 100]) {
      const window = windowOf(entries, budget);
      expect(window.current).toEqual([first, note, ...later]);
      expect(window.earlier).not.toContain(note);
      expect(window.summarize ?? 0).toBeLessThan(21);
    }
  });

  it('stays the same while the summary is being made, and nothing is asked for twice', () => {
    const asked = { summaryWanted: 10 };
    const window = windowOf(items, 850, asked);
    expect(window).toMatchObject({ leftOut: 10, summarize: null });
    const more = conversation({
      ...plainTurns(12, 100),
      now: [said('user', 10)],
    });
    const next = windowOf(more, 850, asked);
    expect(next.earlier.slice(0, 10)).toEqual(window.earlier);
    expect(next.summarize).toBeNull();
  });

  it('begins with the summary, once that is there, as a message in the user’s rank', () => {
    const summary = { text: 'They spoke of beavers.', through: 10 };
    const window = windowOf(items, 850, { summary });
    expect(window).toMatchObject({ leftOut: 0, summarize: null });
    expect(window.summary).toMatchObject({ type: 'message', role: 'user' });
    expect(summaryText(window.summary)).toMatch(/^.*Summary of the earlier.*They spoke of beavers/);
    expect(window.earlier).toEqual(items.slice(10, 20).map(({ item }) => item));
  });

  it('moves on with the next summary when the room is full again', () => {
    const summary = { text: 'They spoke of beavers.', through: 4 };
    const window = windowOf(items, 900, { summary });
    expect(window.summarize).toBeGreaterThan(4);
    expect(window.leftOut).toBe(0);
  });

  it('is this turn alone where that takes all the room, and more', () => {
    const now = [said('user', 500), call('a'), output('a', 600)];
    const large = conversation({ ...plainTurns(3, 100), now });
    const summary = { text: words(100), through: 2 };
    const window = windowOf(large, 800, { summary });
    expect(window).toMatchObject({ summary: null, earlier: [], current: now, leftOut: 4 });
    expect(window.tokens).toBeGreaterThan(1_100);
    expect(window.summarize).toBeNull();
  });

  it('is shortened for this turn only where this turn’s items take the room', () => {
    const now = [said('user', 10), call('a'), output('a', 700)];
    const large = conversation({ ...plainTurns(4, 100), now });
    const window = windowOf(large, 1_000);
    expect(window).toMatchObject({ leftOut: 6, summarize: null });
    expect(window.earlier).toEqual(large.slice(6, 8).map(({ item }) => item));
    expect(window.tokens).toBeLessThanOrEqual(1_000);
  });

  it('is shortened for good as if this turn took no more than four tenths', () => {
    const now = [said('user', 10), call('a'), output('a', 2_000)];
    const large = conversation({ ...plainTurns(10, 100), now });
    const window = windowOf(large, 1_000);
    expect(window).toMatchObject({ earlier: [], leftOut: 20, summarize: 14 });
  });

  it('goes into the turn before where that is too large, and tears nothing apart', () => {
    const before = [
      said('user', 10),
      reasoning(),
      call('a'),
      call('b'),
      output('a', 300),
      output('b', 300),
      reasoning(),
      said('assistant', 20),
    ];
    const large = conversation({ before, now: [said('user', 10)] });
    const window = windowOf(large, 500);
    expect(window.earlier).toEqual(before.slice(6));
    expect(window.summarize).toBe(6);
  });

  it('has this turn’s items also where the summary reaches past the first of them', () => {
    const [first, ...others] = conversation({ now: [said('user', 10), call('a'), output('a', 5)] });
    const queued = [
      { ...first, position: 2 } as ConversationItem,
      ...others.map((entry) => ({ ...entry, position: entry.position + 10 })),
    ];
    const summary = { text: 'All that came before.', through: 8 };
    const window = windowOf(queued, 500, { summary });
    expect(window.current).toHaveLength(3);
  });
});

/** One reply of a model: its output items, and the outputs of its calls. */
interface Reply {
  thinks: boolean;
  text: number;
  calls: number[];
}

const reply: fc.Arbitrary<Reply> = fc.record({
  thinks: fc.boolean(),
  text: fc.nat({ max: 60 }),
  calls: fc.array(fc.nat({ max: 200 }), { maxLength: 3 }),
});
const turn = fc.record({
  question: fc.nat({ max: 80 }),
  replies: fc.array(reply, { minLength: 1, maxLength: 4 }),
  /** Whether the summary has come before this turn. */
  summarized: fc.boolean(),
});

interface Placed extends ConversationItem {
  /** Which reply it is part of; inputs and outputs of tools are of none. */
  reply: number | null;
}

let replies = 0;

function itemsOf({ thinks, text, calls }: Reply): { item: Item; reply: number | null }[] {
  const reply = replies++;
  const ids = calls.map((_, n) => `call_${reply}_${n}`);
  const said_ = [
    ...(thinks ? [reasoning()] : []),
    ...(text > 0 || calls.length === 0 ? [said('assistant', text)] : []),
    ...ids.map((id) => call(id)),
  ];
  const outputs = calls.map((tokens, n) => ({ item: output(String(ids[n]), tokens), reply: null }));
  return [...said_.map((item) => ({ item, reply })), ...outputs];
}

/** Plays a conversation; `check` gets every model call of it. */
function play(
  turns: { question: number; replies: Reply[]; summarized: boolean }[],
  budget: number,
  check: (call: PlayedCall) => void,
): void {
  const items: Placed[] = [];
  const seen = { through: 0, summaryWanted: 0 };
  let position = 0;
  const add = (turnId: string, added: { item: Item; reply: number | null }[]) => {
    for (const entry of added) {
      // Positions may have gaps.
      position += 1 + (position % 3);
      items.push({ ...entry, position, turnId, createdAt: new Date(0) });
    }
  };
  turns.forEach(({ question, replies, summarized }, n) => {
    const turnId = `t${n}`;
    if (summarized) seen.through = seen.summaryWanted;
    add(turnId, [{ item: said('user', question), reply: null }]);
    for (const next of replies) {
      const summary = seen.through > 0 ? { text: words(20), through: seen.through } : undefined;
      const before = { ...seen };
      const window = windowOf(items, budget, { ...(summary && { summary }), ...seen });
      seen.summaryWanted = window.summarize ?? seen.summaryWanted;
      check({ items: [...items], turnId, window, budget, before });
      add(turnId, itemsOf(next));
    }
  });
}

interface PlayedCall {
  items: Placed[];
  turnId: string;
  window: ShownWindow;
  budget: number;
  /** As it stood before the call. */
  before: { through: number; summaryWanted: number };
}

const shownOf = ({ items, turnId, window }: PlayedCall): Placed[] => {
  const shown = new Set<Item>([...window.earlier, ...window.current]);
  return items.filter(({ item, turnId: id }) => shown.has(item) || id === turnId);
};

function everyCall(check: (call: PlayedCall) => void): void {
  fc.assert(
    fc.property(
      fc.array(turn, { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 100, max: 1_500 }),
      (turns, budget) => play(turns, budget, check),
    ),
    { numRuns: 300 },
  );
}

describe('every window of every conversation', () => {
  it('has each call with its output, and no output without its call', () => {
    everyCall(({ window }) => {
      const ids = (type: string) =>
        [...window.earlier, ...window.current]
          .filter((item) => item.type === type)
          .map((item) => item['call_id']);
      expect(ids('function_call_output').sort()).toEqual(ids('function_call').sort());
    });
  });

  it('has a reply whole or not at all, reasoning before what it led to', () => {
    everyCall((call) => {
      const shown = shownOf(call);
      const partsOf = (entries: Placed[], reply: number) =>
        entries.filter((entry) => entry.reply === reply);
      for (const { reply } of shown) {
        if (reply !== null) expect(partsOf(shown, reply)).toEqual(partsOf(call.items, reply));
      }
    });
  });

  it('keeps to the budget whenever this turn’s own items do', () => {
    everyCall(({ window, budget }) => {
      const own = window.current.reduce((sum, item) => sum + estimateItemTokens(item), 0);
      if (own <= budget) expect(window.tokens).toBeLessThanOrEqual(budget);
    });
  });

  it('has all of this turn, and of the earlier ones the end, in order', () => {
    everyCall(({ items, turnId, window }) => {
      const own = items.filter((entry) => entry.turnId === turnId).map(({ item }) => item);
      const earlier = items.filter((entry) => entry.turnId !== turnId).map(({ item }) => item);
      expect(window.current).toEqual(own);
      expect(window.earlier).toEqual(earlier.slice(earlier.length - window.earlier.length));
    });
  });

  it('leaves out what is to be summarized, more only where this turn takes over four tenths', () => {
    everyCall(({ items, turnId, window, budget, before }) => {
      const earlier = items.filter((entry) => entry.turnId !== turnId);
      const unsummarized = earlier.filter(({ position }) => position > before.through);
      expect(window.leftOut).toBe(unsummarized.length - window.earlier.length);
      const wanted = Math.max(window.summarize ?? 0, before.summaryWanted);
      const unshown = unsummarized.slice(0, window.leftOut);
      const own = window.current.reduce((sum, item) => sum + estimateItemTokens(item), 0);
      const summary = window.summary ? estimateItemTokens(window.summary) : 0;
      if (own + summary > 0.4 * budget) return;
      expect(unshown.filter(({ position }) => position > wanted)).toEqual([]);
    });
  });

  it('asks for the summary further and further, and never for what is behind it', () => {
    everyCall(({ items, turnId, window, before }) => {
      if (window.summarize === null) return;
      expect(window.summarize).toBeGreaterThan(before.summaryWanted);
      const own = items.find((entry) => entry.turnId === turnId)?.position ?? 0;
      expect(window.summarize).toBeLessThan(own);
    });
  });

  it('never goes back to what it left out, unless there is more room again', () => {
    let last: { first: number; room: number } | undefined;
    everyCall((call) => {
      const { items, turnId, window, budget } = call;
      if (items.length === 1) last = undefined;
      const own = window.current.reduce((sum, item) => sum + estimateItemTokens(item), 0);
      const summary = window.summary ? estimateItemTokens(window.summary) : 0;
      const room = budget - own - summary;
      const [begin] = shownOf(call).filter((entry) => entry.turnId !== turnId);
      const first = begin?.position ?? Infinity;
      if (last && room <= last.room && begin) expect(first).toBeGreaterThanOrEqual(last.first);
      last = { first: begin ? first : 0, room };
    });
  });
});
