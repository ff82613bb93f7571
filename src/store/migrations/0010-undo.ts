/** Tools that can undo what nobody knows of, and turns that somebody wants undone. */
export const undo = /* sql */ `
ALTER TABLE turnkeeper.steps ADD COLUMN compensate_unknown boolean NOT NULL DEFAULT false;
-- Read by whoever seals the turn.
ALTER TABLE turnkeeper.turns ADD COLUMN compensate_wanted boolean NOT NULL DEFAULT false;
`;
