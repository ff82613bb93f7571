/**
 * Streams under faults:
 *
 *     npm run test:chaos [-- --full] [--seed N]
 *
 * Ends with one line of JSON, and with exit code 1 when a promise was broken. `--full` writes the matrix to
 * docs/results/streams.md.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { planOf } from './faults.ts';
import { reportOf } from './report.ts';
import { broken, runPlan, summarize } from './run.ts';
import { openStage } from './stage.ts';

const { values } = parseArgs({
  options: { full: { type: 'boolean', default: false }, seed: { type: 'string' } },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32));
const plan = planOf({ full: values.full, seed });
console.error(`--seed ${seed} chooses the same faults again.`);
const startedAt = performance.now();
const seconds = () => (performance.now() - startedAt) / 1_000;
const stage = await openStage();
try {
  const outcome = await runPlan(stage, plan, ({ fault, points }, done) => {
    const kept = points.filter(({ exact, status }) => exact && status === 'completed').length;
    const what = `${fault.way} the ${fault.target} at event ${fault.atEvent}`;
    console.error(
      `${seconds().toFixed(0).padStart(5)} s  ${done}/${plan.faults.length}  ${what}: ${kept} of ${points.length} kept`,
    );
  });
  const summary = summarize(outcome);
  if (values.full) {
    const report = reportOf(outcome, summary, { seed, seconds: seconds() });
    await writeFile('docs/results/streams.md', report);
  }
  const problems = broken(outcome, summary);
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
  console.log(JSON.stringify(summary));
} finally {
  await stage.close();
}
