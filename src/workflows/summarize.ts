import { ActivityCancellationType, continueAsNew, proxyActivities } from '@temporalio/workflow';
import type { SummarizeActivities, SummarizeInput } from '../contracts/turn.ts';

/** A history is kept short; a run has about six events a call. */
const CALLS_PER_RUN = 100;

/**
 * Carries a conversation's summary on, call by call, to where it was asked for. While a model is away it waits here, with
 * growing pauses: whoever starts it again finds it running.
 */
export async function summarize(input: SummarizeInput): Promise<void> {
  const activities = proxyActivities<SummarizeActivities>({
    summary: 'earlier items',
    scheduleToCloseTimeout: '1d',
    heartbeatTimeout: '5s',
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '10m' },
  });
  for (let calls = 0; calls < CALLS_PER_RUN; calls++) {
    const { more } = await activities.summarize(input);
    if (!more) return;
  }
  await continueAsNew<typeof summarize>(input);
}
