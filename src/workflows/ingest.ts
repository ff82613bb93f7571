import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  proxyActivities,
} from '@temporalio/workflow';
import { FAILURE } from '../contracts/failures.ts';
import type { IngestActivities, IngestInput } from '../contracts/turn.ts';

/** Indexes one stored document; one that cannot be indexed within an hour is marked as failed. */
export async function ingest(input: IngestInput): Promise<{ chunks: number }> {
  try {
    const { indexDocument } = proxyActivities<IngestActivities>({
      summary: 'chunks and vectors',
      scheduleToCloseTimeout: '1h',
      heartbeatTimeout: '30s',
      cancellationType: ActivityCancellationType.TRY_CANCEL,
      retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m' },
    });
    return await indexDocument(input);
  } catch (error) {
    if (error instanceof ActivityFailure) await markFailed(input, error);
    throw error;
  }
}

async function markFailed(input: IngestInput, error: ActivityFailure): Promise<void> {
  const cause = error.cause instanceof ApplicationFailure ? error.cause : undefined;
  const rejected = cause?.type === FAILURE.documentRejected;
  await CancellationScope.nonCancellable(async () => {
    const { failDocument } = proxyActivities<IngestActivities>({ startToCloseTimeout: '30s' });
    await failDocument({
      ...input,
      reason: rejected ? 'rejected' : 'indexing_failed',
      message: cause?.message ?? error.message,
    });
  });
}
