import { beforeAll, describe, expect, it } from 'vitest';
import { hasPart } from '../support/require-part.ts';
import { useWorld } from '../support/use-world.ts';
import type { TestWorker } from '../support/world.ts';
import { summarize } from './load/check.ts';
import { runLoad, type Plan, type Policy } from './load/run.ts';

const FULL = process.env['FULL'] === '1';
const SIZE = FULL
  ? { clients: 50, turns: 2_000, conversations: 20, killEveryMs: 3_000 }
  : { clients: 10, turns: 40, conversations: 3, killEveryMs: 1_500 };
const WORKERS = FULL ? 4 : 2;
const SEED = Number(process.env['CHAOS_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
const LIMIT_MS = FULL ? 3_600_000 : 300_000;

const world = useWorld();
const workers: TestWorker[] = [];
beforeAll(async () => {
  if (!hasPart('temporal') || !hasPart('postgres')) return;
  const starting = Array.from({ length: WORKERS }, () => world().startWorker());
  workers.push(...(await Promise.all(starting)));
});

describe('many clients and few conversations, while workers are killed', () => {
  it.each<Policy>(['reject', 'enqueue', 'interrupt'])(
    'with %s leave each conversation in order, every turn once and answered, and the locks free',
    async (policy) => {
      const plan: Plan = { ...SIZE, policy, seed: SEED };
      const outcome = await runLoad(world(), workers, plan);
      const summary = await summarize(world(), plan, outcome);
      console.log(JSON.stringify({ seed: SEED, ...summary }));
      expect(summary).toMatchObject({ turns: plan.turns, broken: [] });
      if (policy !== 'interrupt') expect(summary.completed).toBe(plan.turns);
      expect(summary.kills).toBeGreaterThan(0);
    },
    LIMIT_MS,
  );
});
