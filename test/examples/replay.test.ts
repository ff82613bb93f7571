import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { useWorld } from '../support/use-world.ts';
import { startExample } from './example.ts';

const world = useWorld();

describe('examples/replay', { timeout: 120_000 }, () => {
  /** Temporal as a profile names it: what has a profile may have a key and certificates as well. */
  async function withProfile(): Promise<Record<string, string>> {
    const {
      TEMPORAL_ADDRESS: address = '',
      TEMPORAL_NAMESPACE: namespace = '',
      ...env
    } = world().env;
    const folder = await mkdtemp(join(tmpdir(), 'turnkeeper-replay-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, 'temporal.toml');
    const profile = { address, namespace: namespace || 'default' };
    const lines = Object.entries(profile).map(
      ([key, value]) => `${key} = ${JSON.stringify(value)}`,
    );
    await writeFile(file, ['[profile.elsewhere]', ...lines].join('\n'));
    const unset = { TEMPORAL_ADDRESS: '', TEMPORAL_NAMESPACE: '' };
    return { ...env, ...unset, TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'elsewhere' };
  }

  it('replays what ran, and finds the policy that changed', async () => {
    const example = startExample('replay', [], { ...(await withProfile()), MODEL: 'small' });
    expect(await example.ended, example.stderr()).toBe(0);
    expect(example.stdout()).toContain('✓ 3 histories replay');
    // Temporal's own news stay out of an application's output.
    expect(example.stdout() + example.stderr()).not.toContain('webpack');
    expect(example.stdout()).toMatch(
      /✓ a changed policy is refused: .* calls refund as at-most-once/,
    );
  });
});
