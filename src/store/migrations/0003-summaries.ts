/** What a model is told of the items that it is not shown any more. */
export const summaries = /* sql */ `
ALTER TABLE turnkeeper.conversations ADD COLUMN summary text;
-- Items up to here are in the summary; up to there they were asked to be.
ALTER TABLE turnkeeper.conversations ADD COLUMN summary_through bigint NOT NULL DEFAULT 0;
ALTER TABLE turnkeeper.conversations ADD COLUMN summary_wanted bigint NOT NULL DEFAULT 0;
ALTER TABLE turnkeeper.conversations ADD COLUMN summary_wanted_at timestamptz;
-- The assistant that asked, whose model writes it.
ALTER TABLE turnkeeper.conversations ADD COLUMN summary_assistant uuid;
ALTER TABLE turnkeeper.conversations ADD COLUMN summary_assistant_version integer;
CREATE INDEX conversations_outgrown ON turnkeeper.conversations (summary_wanted_at)
  WHERE summary_wanted > summary_through;
`;
