import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Item, Json } from '../../src/contracts/json.ts';
import type { ToolDefinition } from '../../src/contracts/tools.ts';
import { callRefs, replyMistake } from '../../src/conversation/calls.ts';
import { errorOutput, openCallOutput, resultOutput } from '../../src/conversation/tool-output.ts';

const call = (callId: Json, name = 'add'): Item => ({
  type: 'function_call',
  call_id: callId,
  name,
  arguments: '{}',
});

const definition = { name: 'add', policy: 'at-most-once', timeoutMs: 1_000, run: () => null };
const add = definition as unknown as ToolDefinition;

describe('calls of a reply', () => {
  it('are told to the workflow in order, by name, policy and time, and never by their arguments', () => {
    const items = [
      { type: 'message' },
      call('c1'),
      call('c2', 'other'),
      { type: 'web_search_call', call_id: 'x' },
    ];
    expect(callRefs(items, [add])).toEqual([
      { callId: 'c1', name: 'add', policy: 'at-most-once', timeoutMs: 1_000 },
      { callId: 'c2', name: 'other', policy: null, timeoutMs: 60_000 },
    ]);
  });

  it('have no policy where the caller runs the tool', () => {
    const { run: _run, ...clientSide } = definition;
    const [ref] = callRefs([call('c1')], [clientSide as unknown as ToolDefinition]);
    expect(ref).toMatchObject({ name: 'add', policy: null });
  });

  it('have names that can be kept, whatever a model makes up', () => {
    const [ref] = callRefs([call('c1', `\u0000${'n'.repeat(1_000)}`)], []);
    expect(ref?.name).toBe(`\ufffd${'n'.repeat(127)}`);
  });

  it('can be told apart when their ids are printable, short and new in the turn', () => {
    const id = fc.string({
      minLength: 1,
      maxLength: 128,
      unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
    });
    fc.assert(
      fc.property(fc.uniqueArray(id, { minLength: 2 }), ([first = '', ...others]) => {
        expect(
          replyMistake(
            others.map((one) => call(one)),
            [call(first)],
          ),
        ).toBeNull();
        expect(
          replyMistake([call(first), ...others.map((one) => call(one)), call(first)], []),
        ).toContain(first);
        expect(
          replyMistake([call(first)], [...others.map((one) => call(one)), call(first)]),
        ).toContain(first);
      }),
    );
  });

  it.each<[Json]>([[''], [' '], ['a b'], ['ü'], ['a\n'], ['x'.repeat(129)], [7], [null]])(
    'cannot with the id %j',
    (id) => {
      expect(replyMistake([call(id)], [])).toBe(
        'The model sent a function call without a usable call_id.',
      );
    },
  );

  it('are none of our business when the provider runs them', () => {
    expect(
      replyMistake(
        [
          { type: 'mcp_call', call_id: '' },
          { type: 'mcp_call', call_id: '' },
        ],
        [],
      ),
    ).toBeNull();
  });
});

describe('what a model reads of a call', () => {
  it('is text as it is and everything else as JSON', () => {
    expect(resultOutput('It is "here".')).toBe('It is "here".');
    expect(resultOutput(null)).toBe('null');
    expect(resultOutput({ sum: 3 })).toBe('{"sum":3}');
  });

  it('names the kind of a failure', () => {
    const output = errorOutput({ type: 'tool_error', message: 'The disk is full.' });
    expect(JSON.parse(output)).toEqual({
      error: { type: 'tool_error', message: 'The disk is full.' },
    });
  });

  it('tells, of a call that its turn ended over, whether it may have taken effect', () => {
    expect(JSON.parse(openCallOutput(true))).toMatchObject({ error: { type: 'outcome_unknown' } });
    expect(JSON.parse(openCallOutput(false))).toMatchObject({ error: { type: 'not_started' } });
  });
});

describe('a reply', () => {
  it.each<[Json]>([[null], ['text'], [{}], [{ type: 7 }], [{ type: '' }], [{ type: 'a\u0000' }]])(
    'with an item like %j cannot be stored',
    (item) => {
      const mistake = 'The model sent an output item without a usable type.';
      expect(replyMistake([call('c1'), item as Item], [])).toBe(mistake);
    },
  );

  it('asks for as many calls as a workflow can hold', () => {
    const calls = Array.from({ length: 129 }, (_, n) => call(`c${n}`));
    expect(replyMistake(calls.slice(1), [])).toBeNull();
    expect(replyMistake(calls, [])).toContain('129 tool calls');
  });
});
