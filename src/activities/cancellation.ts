import { CancelledFailure, cancellationDetails, cancellationSignal } from '@temporalio/activity';

/** Aborted for whatever reason this attempt is told to stop. */
export function cancelSignal(): AbortSignal {
  return cancellationSignal();
}

export function isCancelled(error: unknown): boolean {
  return error instanceof CancelledFailure || cancellationSignal().aborted;
}

/** Whether another attempt may follow once this one was told to stop: nobody has cancelled the activity itself. */
export function mayComeAgain(): boolean {
  const details = cancellationDetails();
  return details !== undefined && !details.cancelRequested;
}

/** Whether this attempt is told to stop only because its worker is going away. */
export function isShuttingDown(): boolean {
  const details = cancellationDetails();
  return details?.workerShutdown === true && !details.cancelRequested && !details.notFound;
}
