import { describe, expect, it } from 'vitest';
import type { ScriptedCall, ScriptStep } from '../../src/dev/offline-model/script.ts';
import {
  endOf,
  eventTypes,
  inputOf,
  itemsOf,
  runTurn,
  startTurn,
  toolOutputs,
  useWorld,
} from '../support/turns.ts';

const world = useWorld();

const answer = (text: string): ScriptStep => ({ kind: 'answer', text });
const callTools = (...calls: ScriptedCall[]): ScriptStep => ({ kind: 'calls', calls });
const add = (callId: string, a: number, b: number): ScriptedCall => ({
  name: 'add',
  arguments: { a, b },
  callId,
});
const wait = (callId: string, ms: number): ScriptedCall => ({
  name: 'wait_and_tell',
  arguments: { ms, label: callId },
  callId,
});

describe('rounds of tool calls', () => {
  it('ends when the model answers, whatever it said beside its calls', async () => {
    const turn = await runTurn(world.current, {
      assistant: { tools: ['add'] },
      script: [
        { kind: 'calls', text: 'Let me add that.', calls: [add('c1', 1, 2)] },
        callTools(add('c2', 3, 4)),
        answer('3 and 7.'),
      ],
    });
    expect(turn).toMatchObject({ status: 'completed', reason: null, answer: '3 and 7.' });
    expect(turn.steps.map(({ key, status }) => `${key} ${status}`)).toEqual([
      'respond:1 completed',
      'tool:c1 completed',
      'respond:2 completed',
      'tool:c2 completed',
      'respond:3 completed',
    ]);
    expect(toolOutputs(inputOf(turn.requests[2]))).toEqual([
      ['c1', '{"sum":3}'],
      ['c2', '{"sum":7}'],
    ]);
  });

  it('runs the calls of one round side by side and keeps their outputs in the order of the calls', async () => {
    const turn = await runTurn(world.current, {
      assistant: { tools: ['wait_and_tell'] },
      script: [
        callTools(wait('slow', 2_500), wait('middle', 1_500), wait('fast', 1)),
        answer('Done.'),
      ],
    });
    const outputs = [
      ['slow', 'slow'],
      ['middle', 'middle'],
      ['fast', 'fast'],
    ];
    expect(toolOutputs(inputOf(turn.requests[1]))).toEqual(outputs);
    expect(toolOutputs(await itemsOf(world.current, turn.conversationId))).toEqual(outputs);
    const tools = turn.steps.filter(({ kind }) => kind === 'tool');
    const lastStart = Math.max(...tools.map(({ startedAt }) => startedAt.getTime()));
    const firstEnd = Math.min(
      ...tools.filter(({ key }) => key !== 'tool:fast').map((step) => Number(step.settledAt)),
    );
    expect(tools).toHaveLength(3);
    expect(lastStart).toBeLessThan(firstEnd);
  });

  it('tells readers how far a tool is', async () => {
    const turn = await runTurn(world.current, {
      assistant: { tools: ['wait_and_tell'] },
      script: [callTools(wait('c1', 1)), answer('Done.')],
    });
    const progress = turn.events.find(({ event }) => event.type === 'turn.tool_progress');
    expect(progress).toMatchObject({
      step: 'tool:c1',
      event: { call_id: 'c1', message: 'waiting' },
    });
    expect(eventTypes(turn.events).at(0)).toBe('turn.started');
    expect(eventTypes(turn.events).at(-1)).toBe('turn.done');
  });
});

describe('limits of a turn', () => {
  it('stops at the limit of rounds, answers every call that is open, and takes the next turn', async () => {
    const assistant = { tools: ['add', 'touch'], limits: { maxRounds: 2 } };
    const effects = world.current.effects().length;
    const turn = await runTurn(world.current, {
      assistant,
      script: [
        callTools(add('c1', 1, 1)),
        callTools({ name: 'touch', arguments: {}, callId: 'c2' }, add('c3', 1, 1)),
      ],
    });
    expect(turn).toMatchObject({ status: 'incomplete', reason: 'max_rounds' });
    const outputs = toolOutputs(await itemsOf(world.current, turn.conversationId));
    expect(outputs.map(([callId]) => callId)).toEqual(['c1', 'c2', 'c3']);
    const [, c2, c3] = outputs.map(([, output]) => JSON.parse(output) as unknown);
    expect(c2).toMatchObject({ error: { type: 'not_started' } });
    expect(c3).toEqual(c2);
    expect(world.current.effects()).toHaveLength(effects);

    const next = await runTurn(world.current, {
      assistant,
      conversationId: turn.conversationId,
      script: [answer('Here I am.')],
    });
    expect(next).toMatchObject({ status: 'completed', answer: 'Here I am.' });
  });

  it('does not call the model when its input alone would exceed the turn’s tokens', async () => {
    const turn = await runTurn(world.current, {
      assistant: { limits: { maxTurnTokens: 200 } },
      input: 'word '.repeat(400),
      script: [],
    });
    expect(turn).toMatchObject({ status: 'incomplete', reason: 'max_turn_tokens', requests: [] });
  });

  it('leaves the model only what is left of the turn’s tokens, and stops when nothing is', async () => {
    const used = { inputTokens: 300, outputTokens: 100 };
    const turn = await runTurn(world.current, {
      assistant: { tools: ['add'], limits: { maxTurnTokens: 450, maxOutputTokens: 10_000 } },
      script: [{ kind: 'calls', calls: [add('c1', 1, 1)], usage: used }],
    });
    expect(turn).toMatchObject({ status: 'incomplete', reason: 'max_turn_tokens' });
    expect(turn.usage.totalTokens).toBe(400);
    expect(turn.requests[0]?.['max_output_tokens']).toBeLessThan(450);
    expect(toolOutputs(turn.output)).toEqual([['c1', '{"sum":2}']]);
  });

  it('names the turn’s tokens as the reason when they cut off an answer', async () => {
    const turn = await runTurn(world.current, {
      assistant: { limits: { maxTurnTokens: 500 } },
      script: [{ kind: 'incomplete', reason: 'max_output_tokens', text: 'It was a dark' }],
    });
    expect(turn).toMatchObject({ status: 'incomplete', reason: 'max_turn_tokens' });
  });

  it.each(['max_output_tokens', 'content_filter'] as const)(
    'ends incomplete when the model stopped for %s, and keeps what it said',
    async (reason) => {
      const turn = await runTurn(world.current, {
        assistant: { limits: { maxOutputTokens: 16 } },
        script: [{ kind: 'incomplete', reason, text: 'It was a dark' }],
      });
      expect(turn).toMatchObject({ status: 'incomplete', reason, answer: 'It was a dark' });
      expect(turn.requests[0]).toMatchObject({ max_output_tokens: 16 });
    },
  );

  it('drops the calls of an answer that was cut off, and answers them', async () => {
    const call = { type: 'function_call', call_id: 'c1', name: 'add', arguments: '{"a":1,' };
    const turn = await runTurn(world.current, {
      assistant: { tools: ['add'] },
      script: [rawStream(call, 'max_output_tokens')],
    });
    expect(turn).toMatchObject({ status: 'incomplete', reason: 'max_output_tokens' });
    expect(turn.steps.map(({ key }) => key)).toEqual(['respond:1']);
    expect(toolOutputs(turn.output)).toHaveLength(1);
  });

  it('expires at its deadline while the model hangs, and takes the next turn', async () => {
    const started = await startTurn(world.current, {
      assistant: {
        limits: { turnTimeoutMs: 3_000 },
        fallbackModel: 'other',
        fallbackAnswer: 'Sorry.',
      },
      script: [{ kind: 'hold', text: 'one two three', afterDeltas: 2 }],
    });
    const turn = await endOf(world.current, started);
    expect(turn).toMatchObject({ status: 'expired', reason: null, answer: 'one two ' });
    expect(turn.usage.calls).toMatchObject([{ state: 'abandoned', estimated: true }]);
    expect(turn.output).toMatchObject([{ type: 'message', status: 'incomplete' }]);
    const next = await runTurn(world.current, {
      conversationId: turn.conversationId,
      script: [answer('Here I am.')],
    });
    expect(next.status).toBe('completed');
  });
});

/** A response whose only item is this one, cut off by the model. */
function rawStream(item: object, reason: string): ScriptStep {
  const response = {
    id: 'resp_1',
    object: 'response',
    status: 'incomplete',
    model: 'm',
    output: [item],
    incomplete_details: { reason },
    usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 },
  };
  const event = { type: 'response.incomplete', sequence_number: 0, response };
  const packet = `event: response.incomplete\ndata: ${JSON.stringify(event)}\n\n`;
  return { kind: 'raw', lines: [Buffer.from(packet).toString('base64')] };
}
