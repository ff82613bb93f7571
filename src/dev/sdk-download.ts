import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startScript } from './child.ts';

/** A closed network may swallow packets: nothing has begun by then, nothing will. */
const BEGIN_TIMEOUT_MS = 10_000;
const DOWNLOAD_TIMEOUT_MS = 300_000;
const POLL_MS = 100;
const PARTIAL = '.downloading';

/** Downloads the Temporal CLI as `@temporalio/testing` does. The SDK cannot be interrupted, its process can. */
export async function downloadWithSdk(
  folder: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const child = await startScript({
    name: "The Temporal SDK's download",
    script: 'dev/sdk-download-main',
    args: [folder],
  });
  const began = Date.now();
  try {
    for (;;) {
      const ended = !child.alive();
      const files = await readdir(folder);
      const whole = files.find((name) => !name.endsWith(PARTIAL));
      if (whole !== undefined) return join(folder, whole);
      if (ended) throw new Error(reasonIn(child.output()));
      const limit = files.length === 0 ? BEGIN_TIMEOUT_MS : DOWNLOAD_TIMEOUT_MS;
      if (Date.now() - began > limit) throw new Error(`nothing came in ${limit / 1000} seconds`);
      await delay(POLL_MS, undefined, { signal });
    }
  } finally {
    child.kill('SIGKILL');
    await child.exited;
  }
}

/** The innermost causes of what the script said last. */
function reasonIn(output: string): string {
  const line = output.trim().split('\n').at(-1) ?? '';
  return line.split(': ').slice(-3).join(': ') || 'no reason given';
}
