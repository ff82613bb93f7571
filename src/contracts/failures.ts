/** Types of the ApplicationFailures that cross the wall between activities and workflows. */
export const FAILURE = {
  /** The turn was sealed by somebody else: stop, nothing is left to do. Not retryable. */
  turnSealed: 'turn_sealed',
  /** No such turn in the store. Not retryable. */
  turnNotFound: 'turn_not_found',
  /** The store has not settled a step that the history says is done. Not retryable. */
  storeRolledBack: 'store_rolled_back',
  /** A newer attempt has taken the step over. Retryable, for hosts' clocks differ. */
  fenced: 'step_fenced',
  /** A model call failed for good; `details[0]` is the reason. Not retryable. */
  modelFailed: 'model_failed',
  /** A model call failed and is worth another attempt. */
  modelRetry: 'model_retry',
  /** The worker is going away; another takes over. */
  workerShutdown: 'worker_shutdown',
  /** The database or another part is out of reach. Retryable. */
  unavailable: 'unavailable',
  /** Nobody submitted what the turn waited for. Not retryable. */
  actionsExpired: 'actions_expired',
  /** A document cannot be ingested. Not retryable. */
  documentRejected: 'document_rejected',
} as const;
