import { describe, expect, it } from 'vitest';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { activityInputs, closedHistory } from '../support/histories.ts';
import { eventTypes, runTurn, shownText, useWorld } from '../support/turns.ts';

const world = useWorld();

const answer = (text: string): ScriptStep => ({ kind: 'answer', text });
const tooLong: ScriptStep = { kind: 'error', status: 400, code: 'context_length_exceeded' };
const brokenOff = (text: string): ScriptStep => ({ kind: 'failed', code: 'invalid_prompt', text });

const assistant = { model: 'small', fallbackModel: 'large', fallbackAnswer: 'Please call us.' };

describe('when the model fails for good', () => {
  it('the fallback model answers, in a step of its own that names the failure it follows', async () => {
    const turn = await runTurn(world.current, {
      assistant,
      script: [tooLong, answer('From the large one.')],
    });
    expect(turn).toMatchObject({ status: 'completed', answer: 'From the large one.' });
    expect(turn.requests.map(({ model }) => model)).toEqual(['small', 'large']);
    expect(turn.requests[1]).toEqual({ ...turn.requests[0], model: 'large' });
    expect(turn.steps).toMatchObject([
      { key: 'respond:1', status: 'failed', model: 'small', error: { reason: 'context_length' } },
      { key: 'respond:1:fallback', status: 'completed', model: 'large', error: null },
    ]);
    const history = await closedHistory(world.current, turn.id);
    expect(activityInputs(history, 'respond')).toMatchObject([
      { step: 'respond:1', follows: null },
      {
        step: 'respond:1:fallback',
        follows: { step: 'respond:1', reason: 'context_length' },
        after: ['respond:1'],
      },
    ]);
  });

  it('readers forget what it had said before the fallback model speaks', async () => {
    const turn = await runTurn(world.current, {
      assistant,
      script: [brokenOff('Let me begin with'), answer('No.')],
    });
    expect(shownText(turn.events)).toBe('No.');
    const types = eventTypes(turn.events);
    expect(types.indexOf('turn.rewind')).toBeGreaterThan(
      types.indexOf('response.output_text.delta'),
    );
    expect(types.indexOf('turn.rewind')).toBeLessThan(types.lastIndexOf('response.created'));
    expect(turn.output).toHaveLength(1);
    expect(turn.usage.calls).toMatchObject([
      { model: 'small', state: 'failed', estimated: true },
      { model: 'large', state: 'completed' },
    ]);
  });

  it('and the fallback model too, the assistant says its own words, told as an answer is', async () => {
    const turn = await runTurn(world.current, { assistant, script: [tooLong, brokenOff('Well,')] });
    expect(turn).toMatchObject({ status: 'completed', reason: null, answer: 'Please call us.' });
    expect(shownText(turn.events)).toBe('Please call us.');
    expect(turn.output).toMatchObject([
      { type: 'message', role: 'assistant', content: [{ text: 'Please call us.' }] },
    ]);
    expect(turn.steps.map(({ key, status }) => [key, status])).toEqual([
      ['respond:1', 'failed'],
      ['respond:1:fallback', 'failed'],
      ['respond:1:answer', 'completed'],
    ]);
    const said = eventTypes(turn.events.filter(({ step }) => step === 'respond:1:answer'));
    expect(said).toEqual([
      'turn.step',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'turn.step',
    ]);
    const next = await runTurn(world.current, {
      assistant,
      conversationId: turn.conversationId,
      script: [answer('Hello again.')],
    });
    expect(next.status).toBe('completed');
  });

  it('and there is no answer to fall back on, the turn fails with the last reason', async () => {
    const turn = await runTurn(world.current, {
      assistant: { model: 'small', fallbackModel: 'large' },
      script: [tooLong, brokenOff('Well,')],
    });
    expect(turn).toMatchObject({ status: 'failed', reason: 'content_filter', output: [] });
    expect(shownText(turn.events)).toBe('');
  });

  it('in a later round, what the tools did is kept', async () => {
    const turn = await runTurn(world.current, {
      assistant: { ...assistant, tools: ['add'] },
      script: [
        { kind: 'calls', calls: [{ name: 'add', arguments: { a: 1, b: 2 }, callId: 'c1' }] },
        tooLong,
        answer('It is 3.'),
      ],
    });
    expect(turn).toMatchObject({ status: 'completed', answer: 'It is 3.' });
    expect(turn.steps.map(({ key }) => key)).toEqual([
      'respond:1',
      'tool:c1',
      'respond:2',
      'respond:2:fallback',
    ]);
    expect(turn.requests[2]?.['input']).toEqual(turn.requests[1]?.['input']);
  });
});
