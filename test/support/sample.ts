import { it } from 'vitest';
import { randomNumbers, shuffle } from './random.ts';

/**
 * All rows with FULL=1, else one of each point, or of so many points. They are chosen by a seed: CHAOS_SEED, or one that is
 * made up and printed.
 */
export function chosenRows<Row extends { point: string }>(rows: Row[], count = Infinity): Row[] {
  if (process.env['FULL'] === '1') return rows;
  const seed = Number(process.env['CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
  console.log(`CHAOS_SEED=${seed} chooses the rows again; FULL=1 runs all ${rows.length}.`);
  const points = new Set<string>();
  const isFirst = ({ point }: Row) => !points.has(point) && points.add(point);
  const chosen = shuffle(rows, randomNumbers(seed)).filter(isFirst).slice(0, count);
  return rows.filter((row) => chosen.includes(row));
}

/** Takes the `of` tests of one suite like `it`, and registers all with FULL=1, else so many of them. */
export function sampledIt(
  of: number,
  count: number,
): (name: string, run: () => Promise<void>) => void {
  const chosen = chosenRows(
    Array.from({ length: of }, (_, index) => ({ point: String(index) })),
    count,
  );
  let next = 0;
  return (name, run) => {
    if (next === of) throw new Error(`More than the ${of} tests that were announced.`);
    const point = String(next++);
    if (chosen.some((row) => row.point === point)) it(name, run);
  };
}
