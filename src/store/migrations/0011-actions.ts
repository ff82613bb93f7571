/** What turns wait for: outputs of tools that the caller runs, and approvals. */
export const actions = /* sql */ `
CREATE TABLE turnkeeper.actions (
  turn_id          uuid NOT NULL REFERENCES turnkeeper.turns,
  call_id          text NOT NULL,
  kind             text NOT NULL CHECK (kind IN ('outputs', 'approval')),
  state            text NOT NULL CHECK (state IN ('pending', 'answered', 'approved', 'denied', 'closed')),
  deadline         timestamptz NOT NULL,
  requested_at     timestamptz NOT NULL DEFAULT now(),
  decided_at       timestamptz,
  -- Fingerprint of the decision: the same one may come again.
  decision_hash    text,
  edited_arguments json,
  reason           json,
  PRIMARY KEY (turn_id, call_id)
);

-- Of a turn that waits: what was left of its own time when it began to.
ALTER TABLE turnkeeper.turns ADD COLUMN time_left_ms bigint;
ALTER TABLE turnkeeper.turns ADD COLUMN submitted_at timestamptz;
-- When a sweep has last told it to read what was submitted.
ALTER TABLE turnkeeper.turns ADD COLUMN woken_at timestamptz;
CREATE INDEX turns_submitted ON turnkeeper.turns (submitted_at)
  WHERE state = 'started' AND submitted_at IS NOT NULL;
`;
