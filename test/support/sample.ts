import { randomNumbers, shuffle } from './random.ts';

/**
 * All rows with FULL=1, else one of each point and some more, chosen by a seed: CHAOS_SEED, or one that is made up and
 * printed.
 */
export function chosenRows<Row extends { point: string }>(rows: Row[], more: number): Row[] {
  if (process.env['FULL'] === '1') return rows;
  const seed = Number(process.env['CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
  console.log(`CHAOS_SEED=${seed} chooses the rows again; FULL=1 runs all ${rows.length}.`);
  const shuffled = shuffle(rows, randomNumbers(seed));
  const points = new Set<string>();
  const isFirst = ({ point }: Row) => !points.has(point) && points.add(point);
  const firsts = shuffled.filter(isFirst);
  const others = shuffled.filter((row) => !firsts.includes(row)).slice(0, more);
  const chosen = new Set([...firsts, ...others]);
  return rows.filter((row) => chosen.has(row));
}
