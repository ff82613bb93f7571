import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { runWorker } from '../../src/run-worker.ts';
import { hangingPorts, type Point } from './points.ts';
import { announcingPorts } from './refusals.ts';
import { testTools } from './tools.ts';

/**
 * A worker of a test's own, in its own process. TEST_HANG_FILE holds the points where it stays for as long as they stand
 * there. On standard output, as JSON lines, it tells that it is ready, which point it has reached, and what the store
 * refused it.
 */
const hangFile = process.env['TEST_HANG_FILE'] ?? '';
const LOOK_EVERY_MS = 20;

await runWorker({
  tools: testTools(process.env['TEST_EFFECTS'] ?? '/dev/null'),
  onReady: () => say({ ready: true }),
  replace: (real) => hangingPorts(announcingPorts(real, say), stay),
});

async function stay(at: Point): Promise<void> {
  if (!isToHangAt(at)) return;
  say({ at });
  while (isToHangAt(at)) await delay(LOOK_EVERY_MS);
}

function isToHangAt(point: Point): boolean {
  return existsSync(hangFile) && readFileSync(hangFile, 'utf8').split('\n').includes(point);
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
