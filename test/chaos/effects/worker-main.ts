/** A worker of the stage, whose turns stay where they are held. */
import { runWorker } from '../../../src/run-worker.ts';
import { hangingPorts } from '../../support/points.ts';
import { stayIn } from './holds.ts';
import { effectTools } from './tools.ts';

const { CHAOS_FOLDER: folder = '', CHAOS_COUNTERS: counters = '' } = process.env;

await runWorker({
  tools: effectTools(counters),
  replace: (real) => hangingPorts(real, stayIn(folder)),
  onReady: () => process.stdout.write(`${JSON.stringify({ ready: true })}\n`),
});
