/** What did not fit together and was mended, or told; docs/metrics.md says what each is. */
export const RECONCILED = [
  'lost_turns',
  'expired_claims',
  'stuck_conversations',
  'sealed_workflows',
  'unknown_workflows',
  'unread_submissions',
  'gone_readers',
  'left_generations',
  'orphaned_sandboxes',
] as const;

export type Reconciled = (typeof RECONCILED)[number];

export type CountReconciled = (kind: Reconciled, count: number) => void;
