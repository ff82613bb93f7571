import { describe, expect, it } from 'vitest';
import { costOf, isPriced } from '../../src/conversation/pricing.ts';

const NOTHING = { inputTokens: 0, cachedTokens: 0, outputTokens: 0 };
const MILLION = 1_000_000;

describe('what a model call costs', () => {
  it('is its input and its output, each at its own price', () => {
    const input = costOf('gpt-5-codex', { ...NOTHING, inputTokens: MILLION });
    const output = costOf('gpt-5-codex', { ...NOTHING, outputTokens: MILLION });
    expect([input, output]).toEqual([1.25, 10]);
    const both = { ...NOTHING, inputTokens: MILLION, outputTokens: MILLION };
    expect(costOf('gpt-5-codex', both)).toBe(11.25);
  });

  it('has a price of its own for what was cached', () => {
    const cached = { ...NOTHING, inputTokens: MILLION, cachedTokens: MILLION };
    expect(costOf('o1', { ...NOTHING, inputTokens: MILLION })).toBe(15);
    expect(costOf('o1', cached)).toBe(7.5);
    expect(costOf('o1', { ...cached, cachedTokens: MILLION / 2 })).toBe(11.25);
  });

  it.each([
    ['gpt-5', 1.25, 10],
    ['gpt-5-2025-08-07', 1.25, 10],
    ['gpt-5-mini', 0.25, 2],
    ['gpt-4o', 2.5, 10],
  ])('of %s is its list price, that of a snapshot too', (model, input, output) => {
    expect(costOf(model, { ...NOTHING, inputTokens: MILLION })).toBe(input);
    expect(costOf(model, { ...NOTHING, outputTokens: MILLION })).toBe(output);
  });

  it('is unknown for a model that is in no list, not nothing', () => {
    for (const model of ['my-own-model', '', 'toString', '__proto__', 'gpt-5-mini'.repeat(9)]) {
      expect(costOf(model, { ...NOTHING, inputTokens: 5 })).toBeNull();
      expect(isPriced(model)).toBe(false);
    }
  });
});
