/** Effects that can be undone, and the compensation of a turn. */
export const effects = /* sql */ `
ALTER TABLE turnkeeper.steps ADD COLUMN compensable boolean NOT NULL DEFAULT false;
ALTER TABLE turnkeeper.steps ADD COLUMN timeout_ms integer;
ALTER TABLE turnkeeper.steps DROP CONSTRAINT steps_kind_check;
ALTER TABLE turnkeeper.steps ADD CONSTRAINT steps_kind_check
  CHECK (kind IN ('retrieve', 'respond', 'tool', 'compensate'));

ALTER TABLE turnkeeper.turns ADD COLUMN compensation text CHECK (compensation IN ('requested', 'closed'));
CREATE INDEX turns_compensating ON turnkeeper.turns (sealed_at) WHERE compensation = 'requested';
`;
