import { describe, expect, it } from 'vitest';
import type { ScriptedCall, ScriptStep } from '../../src/dev/offline-model/script.ts';
import { inputOf, runTurn, toolOutputs, useWorld, type EndedTurn } from '../support/turns.ts';

const world = useWorld();

const answer = (text: string): ScriptStep => ({ kind: 'answer', text });

/** What the model reads of each call in the next request. */
function told(turn: EndedTurn): Record<string, unknown> {
  const outputs = toolOutputs(inputOf(turn.requests[1]));
  return Object.fromEntries(outputs.map(([callId, output]) => [callId, JSON.parse(output)]));
}

const MISTAKES: { callId: string; call: Omit<ScriptedCall, 'callId'>; error: object }[] = [
  {
    callId: 'unknown',
    call: { name: 'no_such_tool', arguments: {} },
    error: { type: 'unknown_tool', message: 'There is no tool named no_such_tool.' },
  },
  {
    callId: 'not_offered',
    call: { name: 'touch', arguments: {} },
    error: { type: 'unknown_tool', message: 'There is no tool named touch.' },
  },
  {
    callId: 'unprintable',
    call: { name: 'a`b\u0000\n# c', arguments: {} },
    error: { type: 'unknown_tool', message: 'There is no tool named a`b\ufffd\n# c.' },
  },
  {
    callId: 'broken_json',
    call: { name: 'add', arguments: '{"a": 1, "b"' },
    error: { type: 'invalid_json', message: 'The arguments are not valid JSON.' },
  },
  {
    callId: 'no_arguments',
    call: { name: 'add', arguments: '' },
    error: {
      type: 'invalid_arguments',
      details: ["/ must have required property 'a'", "/ must have required property 'b'"],
    },
  },
  {
    callId: 'wrong_types',
    call: { name: 'add', arguments: { a: 'one', b: 2, c: 3 } },
    error: {
      type: 'invalid_arguments',
      message: 'The arguments do not fit the schema of add.',
      details: ['/ must NOT have additional properties: "c"', '/a must be number'],
    },
  },
  {
    callId: 'no_object',
    call: { name: 'add', arguments: '[1, 2]' },
    error: { type: 'invalid_arguments', details: ['/ must be object'] },
  },
  {
    callId: 'without_end',
    call: { name: 'add', arguments: `{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}` },
    error: { type: 'invalid_arguments', details: ['/ is nested deeper than 100 levels'] },
  },
  {
    callId: 'thrown',
    call: { name: 'throw_error', arguments: {} },
    error: { type: 'tool_error', message: 'the disk is full' },
  },
  {
    callId: 'endless',
    call: { name: 'sleep_too_long', arguments: {} },
    error: {
      type: 'timeout',
      message: 'sleep_too_long was stopped after 300 ms; it may have taken effect.',
    },
  },
  {
    callId: 'wrong_output',
    call: { name: 'break_promise', arguments: {} },
    error: { type: 'invalid_output', details: ['/ must be object'] },
  },
];

describe('tool calls that go wrong', () => {
  it('tells the model what was wrong with each call, and completes the turn', async () => {
    const effects = world.current.effects().length;
    const turn = await runTurn(world.current, {
      assistant: { tools: ['add', 'throw_error', 'sleep_too_long', 'break_promise'] },
      script: [
        { kind: 'calls', calls: MISTAKES.map(({ callId, call }) => ({ ...call, callId })) },
        answer('I see.'),
      ],
    });
    expect(turn).toMatchObject({ status: 'completed', answer: 'I see.' });
    expect(told(turn)).toMatchObject(
      Object.fromEntries(MISTAKES.map(({ callId, error }) => [callId, { error }])),
    );
    expect(world.current.effects()).toHaveLength(effects);
    const outcomes = turn.steps.flatMap(({ status, tool, error }) =>
      tool ? [[tool.callId, status, tool.outcome, error?.reason]] : [],
    );
    expect(outcomes.sort()).toEqual(
      MISTAKES.map(({ callId, error }) => {
        const outcome = callId === 'endless' ? 'unknown' : 'failed';
        return [callId, 'failed', outcome, (error as { type: string }).type];
      }).sort(),
    );
  });

  it('leaves the calls of the same round that are right alone', async () => {
    const turn = await runTurn(world.current, {
      assistant: { tools: ['add', 'throw_error'] },
      script: [
        {
          kind: 'calls',
          calls: [
            { name: 'throw_error', arguments: {}, callId: 'wrong' },
            { name: 'add', arguments: { a: 20, b: 22 }, callId: 'right' },
          ],
        },
        answer('42.'),
      ],
    });
    expect(turn.status).toBe('completed');
    expect(told(turn)).toMatchObject({ wrong: { error: {} }, right: { sum: 42 } });
    const right = turn.steps.find(({ key }) => key === 'tool:right');
    expect(right).toMatchObject({ status: 'completed', tool: { outcome: 'succeeded' } });
  });
});

describe('an assistant whose tool this worker does not have', () => {
  // A quarter of it is waited for a worker that has the tool.
  const limits = { turnTimeoutMs: 8_000 };
  const tools = ['add', 'not_there'];

  it('fails before the model is asked', async () => {
    const turn = await runTurn(world.current, { assistant: { tools, limits }, script: [] });
    expect(turn).toMatchObject({ status: 'failed', reason: 'tool_not_registered', requests: [] });
    expect(turn.message).toBe('This worker has no tool not_there.');
    expect(turn.steps).toMatchObject([
      { status: 'failed', error: { reason: 'tool_not_registered' } },
    ]);
  });

  it('gives its fallback answer where it has one', async () => {
    const turn = await runTurn(world.current, {
      assistant: { tools, limits, fallbackAnswer: 'Please call us.' },
      script: [],
    });
    expect(turn).toMatchObject({ status: 'completed', answer: 'Please call us.', requests: [] });
  });
});
