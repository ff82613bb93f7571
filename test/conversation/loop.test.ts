import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TurnInput } from '../../src/contracts/turn.ts';
import {
  candidatesOf,
  endingOf,
  plainLabel,
  renderDetails,
  toolStep,
} from '../../src/conversation/loop.ts';

const input = (models: string[], fallbackAnswer: boolean) =>
  ({ models, fallbackAnswer }) as TurnInput;

describe('who is asked in a round', () => {
  it('is the model, then the fallback model, then the assistant’s own words', () => {
    expect(candidatesOf(input(['small', 'large'], true), 3)).toEqual([
      { step: 'respond:3', model: 'small' },
      { step: 'respond:3:fallback', model: 'large' },
      { step: 'respond:3:answer', model: null },
    ]);
  });

  it('is the model alone when there is nothing to fall back on', () => {
    expect(candidatesOf(input(['small'], false), 1)).toEqual([
      { step: 'respond:1', model: 'small' },
    ]);
  });
});

describe('how a reply ends a turn', () => {
  it('is completed for an answer, incomplete with the reason for one that was cut off', () => {
    expect(endingOf({ kind: 'answer' })).toEqual({ status: 'completed' });
    const cut = { kind: 'incomplete', reason: 'content_filter' } as const;
    expect(endingOf(cut)).toEqual({ status: 'incomplete', reason: 'content_filter' });
  });
});

describe('what operators see', () => {
  it('is a line for each step, with how it went', () => {
    const steps = new Map([
      ['respond:1', { label: 'small', mark: 'failed' }],
      ['respond:1:fallback', { label: 'large', mark: 'done' }],
      [toolStep('c1'), { label: 'add', mark: 'running' }],
    ] as const);
    expect(renderDetails(steps)).toBe(
      '- ✖ `respond:1` small\n- ✔ `respond:1:fallback` large\n- ▶ `tool:c1` add',
    );
  });

  it('is never Markdown or a line of its own that a model made up', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (name) => {
        expect(plainLabel(name)).toMatch(/^[\w .:/?-]{0,80}$/);
      }),
    );
    expect(plainLabel('n'.repeat(200))).toBe('n'.repeat(80));
    expect(plainLabel('get_weather-2')).toBe('get_weather-2');
  });
});
