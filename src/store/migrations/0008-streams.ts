/** Readers of a turn, where it ends without them; and which turns have had their deltas folded. */
export const streams = /* sql */ `
ALTER TABLE turnkeeper.turns ADD COLUMN cancel_after_ms bigint;
-- Somebody reads until then. No index has it, so that a reader who stays costs little.
ALTER TABLE turnkeeper.turns ADD COLUMN read_until timestamptz;
-- When a sweep found it without readers for so long, and asked for its end.
ALTER TABLE turnkeeper.turns ADD COLUMN reader_gone_at timestamptz;
CREATE INDEX turns_read ON turnkeeper.turns (number)
  WHERE cancel_after_ms IS NOT NULL AND state IN ('accepted', 'started');

ALTER TABLE turnkeeper.turns ADD COLUMN folded_at timestamptz;
CREATE INDEX turns_unfolded ON turnkeeper.turns (sealed_at) WHERE state = 'sealed' AND folded_at IS NULL;
`;
