/** A worker without tools, which says when it is ready. */
import { runWorker } from '../../src/run-worker.ts';

const ready = () => process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
await runWorker({ tools: [], onReady: ready });
process.exit();
