import { startPglite } from '../../src/dev/pglite/start.ts';
import type { RunningPglite } from '../../src/dev/pglite/start.ts';

/** An empty embedded database in memory, in a process of its own. */
export function startTestPglite(): Promise<RunningPglite> {
  return startPglite({ dataDir: null });
}
