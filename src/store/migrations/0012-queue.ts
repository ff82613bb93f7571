/** What waits in a conversation, and turns that end because another one was to come at once. */
export const queue = /* sql */ `
-- Turns, and items that are added without one, in the order in which they were accepted. Their items come into the
-- conversation once everything before them has ended. Written by whoever holds the conversation's row.
CREATE TABLE turnkeeper.queue (
  place           bigint GENERATED ALWAYS AS IDENTITY,
  id              uuid PRIMARY KEY,
  conversation_id uuid NOT NULL REFERENCES turnkeeper.conversations,
  -- The same as id, or null for items alone.
  turn_id         uuid REFERENCES turnkeeper.turns,
  types           text[] NOT NULL,
  items           json[] NOT NULL,
  -- Of a turn: how long it has from when it leaves the queue.
  timeout_ms      bigint
);
CREATE INDEX queue_in_order ON turnkeeper.queue (conversation_id, place);
CREATE INDEX turns_queued_until ON turnkeeper.turns (deadline) WHERE state = 'queued';

-- The turn that this one was to end; kept only if it did.
ALTER TABLE turnkeeper.turns ADD COLUMN interrupts uuid;
-- The turn that ended this one, or was to; the last of them.
ALTER TABLE turnkeeper.turns ADD COLUMN interrupted_by uuid;
ALTER TABLE turnkeeper.turns ADD COLUMN cancelling_at timestamptz;
CREATE INDEX turns_cancelling ON turnkeeper.turns (cancelling_at)
  WHERE cancelling_at IS NOT NULL AND state IN ('accepted', 'started');
-- When a sweep last asked Temporal about a turn that others wait for.
ALTER TABLE turnkeeper.turns ADD COLUMN holder_checked_at timestamptz;
`;
