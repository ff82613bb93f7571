import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AssistantDefinition } from '../../src/contracts/assistant.ts';
import type { Item, JsonObject } from '../../src/contracts/json.ts';
import type { Passage } from '../../src/contracts/retrieval.ts';
import type { ConversationItem, TurnContext } from '../../src/contracts/store.ts';
import { planCall, searchText } from '../../src/conversation/context.ts';
import { textParts } from '../../src/conversation/items.ts';
import type { ToolDefinition } from '../../src/contracts/tools.ts';

const TURN = { turnId: 'now', model: 'small', safetyIdentifier: null };

const message = (role: string, text: string): Item => ({
  type: 'message',
  role,
  content: [{ type: role === 'assistant' ? 'output_text' : 'input_text', text }],
});

const at = (turnId: string, item: Item, position: number): ConversationItem => ({
  position,
  turnId,
  item,
  createdAt: new Date(0),
});

function contextOf(items: ConversationItem[], more: Partial<TurnContext> = {}): TurnContext {
  return {
    conversationId: 'c',
    endUser: null,
    ageMs: 0,
    definition: { name: 'A', model: 'small' },
    summary: null,
    summaryWanted: 0,
    items,
    passages: [],
    usedTokens: 0,
    ...more,
  };
}

const passage = (text: string, start: number): Passage => ({
  chunkId: 'c',
  documentId: 'd',
  documentName: 'ladders.md',
  start,
  end: start + text.length,
  text,
  score: 1,
});

const add: ToolDefinition = {
  name: 'add',
  description: 'Adds.',
  parameters: { type: 'object' },
  output: { type: 'number' },
  policy: 'idempotent',
  run: () => 0,
};

describe('the input of a model call', () => {
  const items = [
    at('before', message('user', 'Hi'), 1),
    at('before', message('assistant', 'Hello'), 2),
    at('now', message('user', 'Where?'), 3),
  ];

  it('has the passages just before what this turn has brought', () => {
    const passages = [passage('In the shed.', 0), passage('At the desk.', 40)];
    const { request } = planCall(contextOf(items, { passages }), TURN, []) ?? {};
    expect(request?.input).toEqual([
      items[0]?.item,
      items[1]?.item,
      {
        type: 'message',
        role: 'user',
        content: [
          {
            type: 'input_text',
            text:
              'Passages from the knowledge base. Cite them as [1], [2], …\n\n' +
              '[1] ladders.md, characters 0–12\nIn the shed.\n\n' +
              '[2] ladders.md, characters 40–52\nAt the desk.',
          },
        ],
      },
      items[2]?.item,
    ]);
  });

  it('begins, byte for byte, with the input of every earlier call of the conversation', () => {
    const entry = fc.record({
      turn: fc.nat({ max: 5 }),
      role: fc.constantFrom('user', 'assistant'),
      text: fc.string(),
    });
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1 }), fc.nat(), (entries, cut) => {
        const all = entries
          .sort((one, other) => one.turn - other.turn)
          .map(({ turn, role, text }, n) => at(String(turn), message(role, text), n + 1));
        const earlier = all.slice(0, cut % all.length);
        const inputAt = (seen: ConversationItem[]) => {
          const turn = { ...TURN, turnId: seen.at(-1)?.turnId ?? '' };
          return JSON.stringify(planCall(contextOf(seen), turn, [])?.request.input).slice(0, -1);
        };
        expect(inputAt(all).startsWith(inputAt(earlier))).toBe(true);
      }),
    );
  });
});

describe('reasoning in the input of a model call', () => {
  const reasoning: Item = { type: 'reasoning', id: 'rs_1', summary: [] };
  const call: Item = { type: 'function_call', call_id: 'c', name: 'add', arguments: '{}' };
  const inputOf = (items: ConversationItem[]) =>
    planCall(contextOf(items), TURN, [])?.request.input.map(({ type }) => type);

  it('is kept where what it led to follows', () => {
    const items = [
      at('now', message('user', 'Hi'), 1),
      at('now', reasoning, 2),
      at('now', call, 3),
      at('now', { type: 'function_call_output', call_id: 'c', output: '3' }, 4),
    ];
    const types = ['message', 'reasoning', 'function_call', 'function_call_output'];
    expect(inputOf(items)).toEqual(types);
  });

  it('is left out where its answer was cut off, for the API refuses it alone', () => {
    const cut = [at('before', message('user', 'Hi'), 1), at('before', reasoning, 2)];
    expect(inputOf([...cut, at('now', message('user', 'Well?'), 3)])).toEqual([
      'message',
      'message',
    ]);
  });
});

describe('a request', () => {
  it('offers the tools in the order the assistant names them, then the provider’s own', () => {
    const hosted = { type: 'web_search' };
    const definition: AssistantDefinition = { name: 'A', model: 'small', hostedTools: [hosted] };
    const plan = planCall(contextOf([], { definition }), TURN, [
      { ...add, name: 'z' },
      { ...add, name: 'a' },
    ]);
    expect(plan?.request.tools).toEqual([
      {
        type: 'function',
        name: 'z',
        description: 'Adds.',
        parameters: { type: 'object' },
        strict: false,
      },
      {
        type: 'function',
        name: 'a',
        description: 'Adds.',
        parameters: { type: 'object' },
        strict: false,
      },
      hosted,
    ]);
  });

  it('is estimated by all that goes into it', () => {
    const tokensOf = (more: Partial<TurnContext>, tools: ToolDefinition[] = []) =>
      planCall(contextOf([at('now', message('user', 'Hi'), 1)], more), TURN, tools)?.inputTokens;
    const words = 'word '.repeat(500);
    const definition = { name: 'A', model: 'small', instructions: words };
    const least = Number(tokensOf({}));
    expect(tokensOf({ definition })).toBeGreaterThanOrEqual(least + 500);
    expect(tokensOf({ passages: [passage(words, 0)] })).toBeGreaterThanOrEqual(least + 500);
    expect(tokensOf({ summary: { text: words, through: 0 } })).toBeGreaterThanOrEqual(least + 500);
    expect(tokensOf({}, [{ ...add, description: words }])).toBeGreaterThanOrEqual(least + 500);
  });
});

describe('limits of a model call', () => {
  const plan = (limits: JsonObject, usedTokens = 0) => {
    const definition = { name: 'A', model: 'small', limits };
    return planCall(
      contextOf([at('now', message('user', 'Hi'), 1)], { definition, usedTokens }),
      TURN,
      [],
    );
  };

  it('keep the turn below its cap', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5_000 }),
        fc.nat({ max: 5_000 }),
        (maxTurnTokens, usedTokens) => {
          const planned = plan({ maxTurnTokens }, usedTokens);
          if (!planned) return;
          const { request, inputTokens } = planned;
          expect(usedTokens + inputTokens + Number(request.maxOutputTokens)).toBeLessThanOrEqual(
            maxTurnTokens,
          );
          expect(request.maxOutputTokens).toBeGreaterThanOrEqual(16);
        },
      ),
    );
  });

  it('leave out a call for whose output nothing is left', () => {
    const { inputTokens } = plan({}) ?? { inputTokens: 0 };
    expect(plan({ maxTurnTokens: inputTokens + 15 })).toBeNull();
    expect(plan({ maxTurnTokens: inputTokens + 16 })).not.toBeNull();
    expect(plan({ maxTurnTokens: 1_000 }, 990)).toBeNull();
  });

  it('of one call are the smaller of its own and of what the turn has left, and say which it was', () => {
    const own = plan({ maxOutputTokens: 100, maxTurnTokens: 10_000 });
    expect(own).toMatchObject({
      request: { maxOutputTokens: 100 },
      outputLimitedBy: 'max_output_tokens',
    });
    const left = plan({ maxOutputTokens: 5_000, maxTurnTokens: 1_000 });
    expect(left).toMatchObject({ outputLimitedBy: 'max_turn_tokens' });
    expect(left?.request.maxOutputTokens).toBeLessThan(1_000);
  });

  it('are the provider’s own when there are none', () => {
    expect(plan({})?.request).not.toHaveProperty('maxOutputTokens');
  });

  it('of an assistant that wants less than the provider allows are the provider’s to refuse', () => {
    expect(plan({ maxOutputTokens: 5 })?.request.maxOutputTokens).toBe(5);
  });
});

describe('text of items', () => {
  it('to search for is what the user has said in this turn', () => {
    const items = [
      at('before', message('user', 'Old'), 1),
      at('now', message('developer', 'Be brief'), 2),
      at(
        'now',
        {
          type: 'message',
          role: 'user',
          content: [
            { type: 'input_text', text: 'One' },
            { type: 'input_image' },
            { type: 'input_text', text: 'Two' },
          ],
        },
        3,
      ),
      at('now', message('assistant', 'Three'), 4),
      at('now', { type: 'message', role: 'user', content: 'Four' }, 5),
    ];
    expect(searchText(contextOf(items), 'now')).toBe('One\nTwo\nFour');
  });

  it('is none where an item has no content', () => {
    expect(textParts({ type: 'function_call' }, 'output_text')).toEqual([]);
    expect(
      textParts({ type: 'message', content: [null, 'x', { type: 'output_text' }] }, 'output_text'),
    ).toEqual([]);
  });
});
