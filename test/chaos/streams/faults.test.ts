import { describe, expect, it } from 'vitest';
import { EVENTS, planOf, TARGETS, type Fault } from './faults.ts';

const SEEDS = [1, 20_261_121, 4_294_967_295];

describe('the sample', () => {
  it.each(SEEDS)(
    'kills twenty times over a hundred points, and pauses and cuts off two parts each',
    (seed) => {
      const { faults, turnsPerFault } = planOf({ full: false, seed });
      expect(ofWay(faults, 'kill').length).toBeGreaterThanOrEqual(20);
      expect(faults.length * turnsPerFault).toBeGreaterThanOrEqual(100);
      for (const target of TARGETS) expect(targetsOf(ofWay(faults, 'kill'))).toContain(target);
      for (const way of ['pause', 'cut'] as const)
        expect(new Set(targetsOf(ofWay(faults, way))).size).toBe(2);
    },
  );
});

describe('the full run', () => {
  it.each(SEEDS)('strikes at every event with a kill, of each part in turn', (seed) => {
    const { faults, turnsPerFault } = planOf({ full: true, seed });
    const kills = ofWay(faults, 'kill').sort((a, b) => a.atEvent - b.atEvent);
    expect(kills.map(({ atEvent }) => atEvent)).toEqual(
      Array.from({ length: EVENTS }, (_, index) => index + 1),
    );
    for (let index = 0; index + TARGETS.length <= kills.length; index++)
      expect(targetsOf(kills.slice(index, index + TARGETS.length))).toEqual([...TARGETS].sort());
    expect(faults.length * turnsPerFault).toBeGreaterThanOrEqual(500);
  });
});

function ofWay(faults: Fault[], way: Fault['way']): Fault[] {
  return faults.filter((fault) => fault.way === way);
}

function targetsOf(faults: Fault[]): string[] {
  return faults.map(({ target }) => target).sort();
}
