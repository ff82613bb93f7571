/**
 * Effects under faults:
 *
 *     npm run test:effects [-- --full] [--seed N]
 *
 * Ends with one line of JSON, and with exit code 1 when a promise was broken, or when its time was over (40 minutes, 8 for a
 * sample). `--full` writes the matrix to docs/results/effects.md.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { nameOf, planOf } from './faults.ts';
import { reportOf } from './report.ts';
import { broken, runPlan, summarize } from './run.ts';
import { openStage } from './stage.ts';

const { values } = parseArgs({
  options: { full: { type: 'boolean', default: false }, seed: { type: 'string' } },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
const faults = planOf({ full: values.full, seed });
console.error(`--seed ${seed} chooses the same faults again.`);
const limitMs = (values.full ? 40 : 8) * 60_000;
const startedAt = performance.now();
const seconds = () => (performance.now() - startedAt) / 1_000;
const stage = await openStage();
try {
  const outcome = await runPlan(stage, faults, {
    time: AbortSignal.timeout(limitMs),
    onStruck({ fault, points }, done) {
      const ended = points.filter(
        ({ status, fails }) => status === (fails ? 'failed' : 'completed'),
      );
      const how = `${nameOf(fault)}: ${ended.length} of ${points.length} as expected`;
      console.error(`${seconds().toFixed(0).padStart(5)} s  ${done}/${faults.length}  ${how}`);
    },
  });
  const summary = summarize(outcome);
  if (values.full) {
    const report = reportOf(outcome, summary, { seed, seconds: seconds() });
    await writeFile('docs/results/effects.md', report);
  }
  const problems = broken(outcome, summary);
  const missing = faults.length - outcome.struck.length;
  if (missing > 0) problems.push(`${missing} faults were not begun within ${limitMs / 60_000} min`);
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
  console.log(JSON.stringify(summary));
} finally {
  await stage.close();
}
