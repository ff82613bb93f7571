import { describe, expect, it } from 'vitest';
import type { AssistantDefinition } from '../../src/contracts/assistant.ts';
import { inputBudget, outputLimit } from '../../src/conversation/budget.ts';

const budget = (model: string, more: Partial<AssistantDefinition> = {}) =>
  inputBudget({ name: 'A', model, ...more }, model);

describe('the input of a model call', () => {
  it('may take what the model is known to take beside its output, less a margin', () => {
    // 400,000 in all, 128,000 of them for the output.
    expect(budget('gpt-5-mini')).toBe(Math.floor((400_000 - 128_000) * 0.9));
    expect(budget('gpt-5-mini', { limits: { maxOutputTokens: 10_000 } })).toBe(
      Math.floor((400_000 - 10_000) * 0.9),
    );
  });

  it('leaves half of a small window to the output', () => {
    expect(budget('gpt-4')).toBe(Math.floor(4_096 * 0.9));
  });

  it.each(['somebody-elses-model', 'default', '__proto__', 'text-embedding-3-small'])(
    'may take 100,000 tokens of %s, whose window nobody knows',
    (model) => {
      expect(budget(model)).toBe(100_000);
      expect(outputLimit(model)).toBeNull();
    },
  );

  it('may take what the assistant says, whatever the model', () => {
    const context = { maxTokens: 5_000 };
    expect(budget('gpt-5-mini', { context })).toBe(5_000);
    expect(budget('unknown', { context })).toBe(5_000);
  });

  it('may take half of what the turn may use, so that a long conversation leaves room for an answer', () => {
    const limits = { maxTurnTokens: 10_000 };
    expect(budget('gpt-5-mini', { limits })).toBe(5_000);
    expect(budget('gpt-5-mini', { limits, context: { maxTokens: 8_000 } })).toBe(5_000);
    expect(budget('gpt-5-mini', { limits, context: { maxTokens: 2_000 } })).toBe(2_000);
  });
});
