import { describe, expect, it } from 'vitest';
import { BOUNDARIES, KINDS, planOf, TARGETS, WAYS } from './faults.ts';

const SEEDS = [1, 20_261_121, 4_294_967_295];

describe('the sample', () => {
  it.each(SEEDS)(
    'strikes each part once, kills and pauses, and comes to every boundary',
    (seed) => {
      const faults = planOf({ full: false, seed });
      expect(faults.map(({ target }) => target).sort()).toEqual([...TARGETS].sort());
      const ways = new Set(faults.map(({ way }) => way));
      expect(WAYS.filter((way) => !ways.has(way))).toEqual([]);
      const boundaries = faults.flatMap(({ turns }) => turns.map(({ boundary }) => boundary));
      expect(boundaries.sort()).toEqual([...BOUNDARIES].sort());
    },
  );
});

describe('the full run', () => {
  it.each(SEEDS)('strikes each part in each way at every boundary', (seed) => {
    const faults = planOf({ full: true, seed });
    const points = faults.flatMap(({ target, way, turns }) =>
      turns.map(({ boundary }) => `${way} the ${target}, ${boundary}`),
    );
    expect(new Set(points).size).toBe(KINDS.length * BOUNDARIES.length);
    expect(points.length).toBeGreaterThanOrEqual(500);
    const ids = faults.flatMap(({ turns }) => turns.map(({ id }) => id));
    expect(new Set(ids).size).toBe(ids.length);
  });
});
