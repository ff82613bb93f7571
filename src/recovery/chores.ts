import type { Logger } from '../contracts/logger.ts';
import { describeError } from '../contracts/thrown.ts';
import { repeatUntil } from './repeat.ts';

/** What a worker sees to beside turns, again and again. */
export interface Chore {
  name: string;
  /** Answers how much there was to do. */
  run(): Promise<number>;
}

/** Does the chore until stopped. One that fails is tried again; the log is told of a row of failures once. */
export async function doChore(
  stopped: AbortSignal,
  chore: Chore,
  { intervalMs, logger }: { intervalMs: number; logger: Logger },
): Promise<void> {
  let failing = false;
  await repeatUntil(stopped, intervalMs, async () => {
    failing = await doSafely(chore, logger, failing);
  });
}

/** Answers whether it failed. */
async function doSafely(chore: Chore, logger: Logger, wasFailing: boolean): Promise<boolean> {
  const fields = { chore: chore.name };
  try {
    const count = await chore.run();
    if (count > 0) logger.info('chore', { ...fields, count });
    if (wasFailing) logger.info('chore done again', fields);
    return false;
  } catch (error) {
    if (!wasFailing) logger.error('chore failed', { ...fields, error: describeError(error) });
    return true;
  }
}
