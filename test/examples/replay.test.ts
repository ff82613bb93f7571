import { describe, expect, it } from 'vitest';
import { useWorld } from '../support/use-world.ts';
import { startExample } from './example.ts';

const world = useWorld();

describe('examples/replay', { timeout: 120_000 }, () => {
  it('replays what ran, and finds the policy that changed', async () => {
    const example = startExample('replay', [], { ...world().env, MODEL: 'small' });
    expect(await example.ended, example.stderr()).toBe(0);
    expect(example.stdout()).toContain('✓ 3 histories replay');
    // Temporal's own news stay out of an application's output.
    expect(example.stdout() + example.stderr()).not.toContain('webpack');
    expect(example.stdout()).toMatch(
      /✓ a changed policy is refused: .* calls refund as at-most-once/,
    );
  });
});
