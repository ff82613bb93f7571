import type { NewIndex } from './migration.ts';

export const indexes: NewIndex[] = [
  {
    name: 'conversations_deleted',
    on: 'conversations (deletion_tried_at) WHERE deleted_at IS NOT NULL',
  },
  // What refers to a turn is looked for when it goes.
  { name: 'turns_by_next', on: 'turns (next_turn) WHERE next_turn IS NOT NULL' },
  { name: 'idempotency_keys_by_resource', on: 'idempotency_keys (resource_id)' },
  { name: 'steps_open', on: `steps (turn_id) WHERE status = 'open'` },
  { name: 'actions_pending', on: `actions (turn_id) WHERE state = 'pending'` },
];
