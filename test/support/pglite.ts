import type { startPglite, RunningPglite } from '../../src/dev/pglite/start.ts';
import { runnable } from './compile.ts';

const START = runnable(new URL('../../src/dev/pglite/start.ts', import.meta.url));

interface Started {
  startPglite: typeof startPglite;
}

/** An empty embedded database in memory, in a process of its own, which runs what was compiled. */
export async function startTestPglite(): Promise<RunningPglite> {
  const started = (await import(START.href)) as Started;
  return started.startPglite({ dataDir: null });
}
