import fc from 'fast-check';
import type { Item, Json } from '../../src/contracts/json.ts';
import type { ConversationItem } from '../../src/contracts/store.ts';

/** Items of a conversation one after the other, a minute apart unless all at once. */
export function historyOf(
  items: (Item | [turnId: string | null, item: Item])[],
): ConversationItem[] {
  return items.map((entry, index) => {
    const [turnId, item] = Array.isArray(entry) ? entry : ['t', entry];
    return { position: index + 1, turnId, item, createdAt: new Date(0) };
  });
}

const text = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.constantFrom('\u0000', '\ud800', 'a\udc00b', ''),
);
const callId = fc.constantFrom('a', 'b', 'c', 'x'.repeat(65), 'huge'.repeat(300), '');
const id = fc.option(fc.constantFrom('i1', 'i2', 'i3', 'y'.repeat(65), ''), { nil: undefined });
const status = fc.constantFrom(undefined, null, 'completed', 'incomplete', 'queued', 7);
const anything = fc.jsonValue({ maxDepth: 2 });

const part: fc.Arbitrary<Json> = fc.oneof(
  fc.record({
    type: fc.constantFrom('input_text', 'output_text', 'text', 'refusal'),
    text,
    refusal: text,
  }),
  fc.constantFrom(
    { type: 'input_image', file_id: 'cfile_1' },
    { type: 'input_file', file_id: 'file-1' },
    { type: 'input_file', file_url: 'sandbox:/mnt/data/a.csv', filename: 'a.csv' },
    { type: 'holograph' },
    null,
  ),
);

function item(type: string, fields: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<Item> {
  return fc.record({ id, status, ...fields }).map((values) => {
    const given = Object.entries(values).filter(([, value]) => value !== undefined);
    return { type, ...Object.fromEntries(given) };
  });
}

const content = fc.oneof(text, fc.array(part, { maxLength: 3 }), anything);

/** Whatever a row can come to hold. */
export const anyItem: fc.Arbitrary<Item> = fc.oneof(
  item('message', { role: fc.constantFrom('user', 'assistant', 'developer', 'nobody'), content }),
  item('function_call', {
    call_id: callId,
    name: fc.oneof(text, fc.constantFrom('f', 'f.g')),
    arguments: fc.oneof(text, anything),
  }),
  item('function_call_output', {
    call_id: callId,
    output: fc.oneof(text, fc.array(part), anything),
  }),
  item('custom_tool_call', { call_id: callId, name: fc.constant('c'), input: text }),
  item('custom_tool_call_output', { call_id: callId, output: text }),
  item('shell_call', { call_id: callId }),
  item('reasoning', {
    summary: fc.constantFrom(undefined, [], [{ type: 'summary_text', text: 'So.' }]),
    encrypted_content: fc.constantFrom(undefined, null, '', 'gAAAA'),
  }),
  item('code_interpreter_call', {
    container_id: fc.constantFrom('k1', 'k2'),
    code: text,
    outputs: fc.constant(null),
  }),
  item('web_search_call', {}),
  item('hologram_call', { call_id: callId }),
  item('item_reference', {}),
);

/** A history of some turns that nobody has cared for. */
export const brokenHistory: fc.Arbitrary<ConversationItem[]> = fc
  .array(fc.tuple(fc.constantFrom('t1', 't2', null), anyItem), { maxLength: 30 })
  .map((items) => historyOf(items));

/** What a turn stores when all goes well, `n` making its ids its own. */
export function turnItems(
  n: number,
  shape: { reasons: boolean; calls: number; text: string },
): Item[] {
  const thought = (part: string): Item[] =>
    shape.reasons
      ? [{ type: 'reasoning', id: `rs_${n}_${part}`, summary: [], encrypted_content: 'gAAAA' }]
      : [];
  const ids = Array.from({ length: shape.calls }, (_, k) => `call_${n}_${k}`);
  const calls = ids.map((call): Item => ({
    ...{ type: 'function_call', id: `fc_${call}`, call_id: call, status: 'completed' },
    ...{ name: 'f', arguments: shape.text },
  }));
  const outputs = ids.map((call): Item => ({
    type: 'function_call_output',
    call_id: call,
    output: shape.text,
  }));
  const said = { type: 'output_text', text: shape.text, annotations: [] };
  return [
    { type: 'message', role: 'user', content: [{ type: 'input_text', text: shape.text }] },
    ...(shape.calls > 0 ? [...thought('calls'), ...calls, ...outputs] : []),
    ...thought('answer'),
    { type: 'message', id: `msg_${n}`, role: 'assistant', status: 'completed', content: [said] },
  ];
}

export const soundHistory: fc.Arbitrary<ConversationItem[]> = fc
  .array(
    fc.record({
      reasons: fc.boolean(),
      calls: fc.nat({ max: 3 }),
      text: fc.string(),
    }),
    { maxLength: 6 },
  )
  .map((turns) =>
    historyOf(
      turns.flatMap((turn, n) =>
        turnItems(n, turn).map((entry): [string, Item] => [`t${n}`, entry]),
      ),
    ),
  );
