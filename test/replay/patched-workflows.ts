import { patched, sleep } from '@temporalio/workflow';
import type { TurnInput, TurnOutcome } from '../../src/contracts/turn.ts';
import { turn as released } from '../../src/workflows/turn.ts';

/** As the released one, but for a timer before it, which turns that are running do without. */
export async function turn(input: TurnInput): Promise<TurnOutcome> {
  if (patched('a timer first')) await sleep(1);
  return released(input);
}

export { compensate } from '../../src/workflows/compensate.ts';
export { ingest } from '../../src/workflows/ingest.ts';
export { summarize } from '../../src/workflows/summarize.ts';
