import { describe, expect, it } from 'vitest';
import { useWorld } from '../support/use-world.ts';
import { startExample } from './example.ts';

const world = useWorld();

describe('examples/compensation', { timeout: 120_000 }, () => {
  it('undoes what a turn did before it failed, the last thing first', async () => {
    const example = startExample('compensation', [], { ...world().env, MODEL: 'small' });
    expect(await example.ended, example.stderr()).toBe(0);
    const printed = example.stdout();
    expect(printed).toContain('The turn failed: invalid_request');
    expect(printed).toMatch(/respond +failed: .*The provider does not want to answer/);
    const undone = [...printed.matchAll(/compensate (\w+) +completed/g)].map(([, name]) => name);
    expect(undone.sort()).toEqual(['charge_card', 'reserve_seat']);
    const [, ledger = ''] = printed.split('The ledger:\n');
    const entries = ledger
      .trim()
      .split('\n')
      .map((line) => line.trim());
    const [first, second, ...undoings] = entries;
    const done = [first, second];
    expect(done.toSorted()).toEqual(['charged 49.00 EUR', 'reserved 12A']);
    const opposite = { 'charged 49.00 EUR': 'refunded 49.00 EUR', 'reserved 12A': 'released 12A' };
    expect(undoings.toSorted()).toEqual(Object.values(opposite).toSorted());
  });
});
