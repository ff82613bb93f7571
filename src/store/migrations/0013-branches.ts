/** Turns that take the place of others, conversations that begin with the items of another, and repaired histories. */
export const branches = /* sql */ `
-- The turn that has taken this item's place: no model is shown it any more.
ALTER TABLE turnkeeper.items ADD COLUMN superseded_by uuid;

ALTER TABLE turnkeeper.turns ADD COLUMN origin_kind text CHECK (origin_kind IN ('retry', 'regenerate', 'edit'));
ALTER TABLE turnkeeper.turns ADD COLUMN origin_turn uuid;

ALTER TABLE turnkeeper.conversations ADD COLUMN branched_from_conversation uuid;
ALTER TABLE turnkeeper.conversations ADD COLUMN branched_from_turn uuid;

-- Not validated: rows of before fit, and reading them all would hold up every step meanwhile.
ALTER TABLE turnkeeper.steps DROP CONSTRAINT steps_kind_check;
ALTER TABLE turnkeeper.steps ADD CONSTRAINT steps_kind_check
  CHECK (kind IN ('retrieve', 'respond', 'tool', 'compensate', 'repair')) NOT VALID;
`;
