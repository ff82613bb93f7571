import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/contracts/json.ts';
import { planSummary } from '../../src/conversation/summary.ts';
import { offlineAnswer, parsePassages } from '../../src/dev/offline-model/answer.ts';
import { readCreateRequest } from '../../src/dev/offline-model/request.ts';
import type { OutputItem } from '../../src/dev/offline-model/wire.ts';

const PASSAGES = `Passages from the knowledge base. Cite them as [1], [2], …

[1] returns, v2.md, characters 0–210
# Returns

You may return unopened goods within **30 days** of delivery.
Opened goods are kept.

- Refunds reach your card within five working days.

[2] shipping.md, characters 1200–1290
Parcels leave our warehouse every weekday at noon.

[7] This line only looks like a header, characters 1–2
Express parcels cost 9 euros.`;

const ORDER_TOOL = {
  type: 'function',
  name: 'order_status',
  parameters: {
    type: 'object',
    properties: {
      order: { type: 'string', pattern: '^[A-Z]{2}-\\d{4}$' },
      note: { type: 'string' },
    },
    required: ['order'],
  },
};

const CODE_TOOL = {
  type: 'function',
  name: 'run_code',
  parameters: {
    type: 'object',
    properties: {
      language: { type: 'string', enum: ['python', 'bash'] },
      code: { type: 'string' },
      files: { type: 'array' },
    },
    required: ['language', 'code'],
  },
};

function user(text: string): JsonObject {
  return { type: 'message', role: 'user', content: [{ type: 'input_text', text }] };
}

function developer(text: string): JsonObject {
  return { type: 'message', role: 'developer', content: [{ type: 'input_text', text }] };
}

function answer(input: JsonObject[], extra: JsonObject = {}): OutputItem[] {
  return offlineAnswer(readCreateRequest({ model: 'm', input, ...extra }));
}

function textOf(items: OutputItem[]): string {
  const [item] = items;
  const part = item?.type === 'message' ? item.content[0] : undefined;
  return part?.type === 'output_text' ? part.text : '';
}

describe('reading passages', () => {
  it('finds document, range and text of each, blank lines in the text included', () => {
    const passages = parsePassages(PASSAGES);
    expect(passages).toHaveLength(2);
    expect(passages[0]).toMatchObject({
      number: 1,
      document: 'returns, v2.md',
      start: 0,
      end: 210,
    });
    expect(passages[0]?.text).toMatch(/^# Returns\n\nYou may .* five working days\.$/s);
    expect(passages[1]).toMatchObject({
      number: 2,
      document: 'shipping.md',
      start: 1200,
      end: 1290,
    });
    expect(passages[1]?.text).toContain('[7] This line only looks like a header');
  });

  it('finds none in any other message', () => {
    expect(parsePassages('Be polite.\n\n[1] a.md, characters 0–1\na')).toEqual([]);
  });
});

describe('what the offline model says by itself', () => {
  it('quotes the sentence that fits the question, citing its passage', () => {
    const text = textOf(
      answer([developer(PASSAGES), user('How many days do I have to return goods?')]),
    );
    expect(text).toMatch(
      /^\[offline model\] You may return unopened goods within 30 days of delivery\. \[1\]/,
    );
    expect(text).not.toContain('Parcels');
  });

  it('cites the other passage for another question', () => {
    const text = textOf(
      answer([developer(PASSAGES), user('When do parcels leave the warehouse?')]),
    );
    expect(text).toMatch(/Parcels leave our warehouse every weekday at noon\. \[2\]/);
  });

  it('finds a sentence by the heading it stands under', () => {
    const text = textOf(answer([developer(PASSAGES), user('Tell me about returns and cards')]));
    expect(text).toContain('Refunds reach your card within five working days. [1]');
  });

  it('prefers the sentence with the rare words of the question', () => {
    const passages = `Passages from the knowledge base. Cite them as [1], [2], …

[1] fleet.md, characters 0–99
The red ship sails daily. The red ship carries cargo. The red ship is old. Its captain is Ada.`;
    const text = textOf(answer([developer(passages), user('Who is captain of the ship?')]));
    expect(text).toMatch(/^\[offline model\] Its captain is Ada\. \[1\]/);
  });

  it('leaves out sentences that share little with the question', () => {
    const passages = `Passages from the knowledge base. Cite them as [1], [2], …

[1] fleet.md, characters 0–99
The captain of the ship is Ada. A ship needs water.`;
    const text = textOf(answer([developer(passages), user('Who is captain of the ship?')]));
    expect(text).toBe('[offline model] The captain of the ship is Ada. [1]');
  });

  it('says so when the passages do not fit', () => {
    const text = textOf(answer([developer(PASSAGES), user('Wie alt ist das Universum?')]));
    expect(text).toBe('[offline model] The passages I was given say nothing about that.');
  });

  it('says so when there are no passages', () => {
    expect(textOf(answer([user('Hello')]))).toBe(
      '[offline model] I was given no passages, and I can only answer from documents.',
    );
  });

  it('calls a tool once for each distinct match of its pattern in the last question', () => {
    const input = [
      user('Old: QQ-0000'),
      { type: 'message', role: 'assistant', content: 'Well.' },
      user('Where are AB-1234, CD-5678 and AB-1234? Not XAB-12345.'),
    ];
    const calls = answer(input, { tools: [ORDER_TOOL] });
    expect(calls).toMatchObject([
      { type: 'function_call', name: 'order_status', arguments: '{"order":"AB-1234"}' },
      { type: 'function_call', name: 'order_status', arguments: '{"order":"CD-5678"}' },
    ]);
  });

  it('calls no tool whose other parameters it could not fill', () => {
    const parameters = { ...ORDER_TOOL.parameters, required: ['order', 'note'] };
    const items = answer([user('Where is AB-1234?')], { tools: [{ ...ORDER_TOOL, parameters }] });
    expect(textOf(items)).toMatch(/^\[offline model\] /);
  });

  it('hands each block of code to the tool that runs its language', () => {
    const blocks = ['```python\nprint(6 * 7)\n```', '```ruby\nputs 1\n```', '```bash\ndate\n```'];
    const items = answer([user(`Run these:\n${blocks.join('\n')}`)], {
      tools: [ORDER_TOOL, CODE_TOOL],
    });
    expect(items).toMatchObject([
      { name: 'run_code', arguments: '{"language":"python","code":"print(6 * 7)\\n"}' },
      { name: 'run_code', arguments: '{"language":"bash","code":"date\\n"}' },
    ]);
    expect(answer([user(blocks.join('\n'))], { tools: [ORDER_TOOL] })[0]?.type).toBe('message');
  });

  it('answers with what a program wrote, and with all that is known of one that failed', () => {
    const args = JSON.stringify({ language: 'python', code: 'print(42)' });
    const run = (callId: string, output: JsonObject): JsonObject[] => [
      { type: 'function_call', call_id: callId, name: 'run_code', arguments: args },
      { type: 'function_call_output', call_id: callId, output: JSON.stringify(output) },
    ];
    const said = answer([
      user('Run it'),
      ...run('a', { stdout: '42\n', stderr: '', exit_code: 0 }),
      ...run('b', { stdout: '', stderr: 'NameError', exit_code: 1 }),
    ]);
    expect(textOf(said)).toContain('- run_code(python): 42\n- run_code(python): stdout: ');
    expect(textOf(said)).toContain('NameError');
  });

  it('summarizes what users said, on top of the summary before', () => {
    const said = (texts: string[], through: number, text?: string) => {
      const items = texts.map((content, n) => ({
        position: n + 1,
        turnId: 't',
        item: { ...user(content), type: 'message' },
        createdAt: new Date(0),
      }));
      const summary = text === undefined ? null : { text, through };
      const work = { definition: { name: 'A', model: 'm' }, endUser: null, summary, items };
      const { request } = planSummary(work, { model: 'm', safetyIdentifier: null });
      return textOf(answer(request.input));
    };
    const first = said(['Where is "AB-1234"?\nPlease.', 'Thanks.'], 2);
    expect(first).toBe('[offline model] Said so far:\n- Where is "AB-1234"?\n- Thanks.');
    expect(said(['And CD-5678?'], 3, first)).toBe(`${first}\n- And CD-5678?`);
  });

  it('answers from what the tools said, listing each', () => {
    const input = [
      user('Where are AB-1234 and CD-5678?'),
      call('call_1', 'AB-1234'),
      call('call_2', 'CD-5678'),
      { type: 'function_call_output', call_id: 'call_1', output: '{"state":"shipped","days":2}' },
      { type: 'function_call_output', call_id: 'call_2', output: 'lost' },
    ];
    expect(textOf(answer(input, { tools: [ORDER_TOOL] }))).toBe(
      '[offline model] The tools answered:\n' +
        '- order_status(AB-1234): state: shipped, days: 2\n' +
        '- order_status(CD-5678): lost',
    );
  });
});

function call(callId: string, order: string): JsonObject {
  const args = JSON.stringify({ order });
  return { type: 'function_call', call_id: callId, name: 'order_status', arguments: args };
}
