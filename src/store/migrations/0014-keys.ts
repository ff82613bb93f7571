/** Keys of what is in Temporal's histories, and conversations that are being deleted. */
export const keys = /* sql */ `
-- In the order of locks everywhere, each as far as it is needed: who reads a table with new references goes on.
LOCK TABLE turnkeeper.conversations IN ACCESS EXCLUSIVE MODE;
LOCK TABLE turnkeeper.turns IN SHARE ROW EXCLUSIVE MODE;
LOCK TABLE turnkeeper.items IN ACCESS EXCLUSIVE MODE;
LOCK TABLE turnkeeper.documents IN SHARE ROW EXCLUSIVE MODE;

-- From then on nothing comes into it, its key is gone, and its rows are deleted in batches.
ALTER TABLE turnkeeper.conversations ADD COLUMN deleted_at timestamptz;
-- When its rows were last handed out to be deleted.
ALTER TABLE turnkeeper.conversations ADD COLUMN deletion_tried_at timestamptz;
-- Workflows that may still run for it.
ALTER TABLE turnkeeper.conversations ADD COLUMN ending text[];
-- The turn of another conversation whose effects this item tells of.
ALTER TABLE turnkeeper.items ADD COLUMN note_on uuid;

-- Branches that begin with items of these turns, which may be undone yet: they are told of it, too.
CREATE TABLE turnkeeper.branch_effects (
  turn_id         uuid NOT NULL REFERENCES turnkeeper.turns,
  conversation_id uuid NOT NULL REFERENCES turnkeeper.conversations,
  PRIMARY KEY (turn_id, conversation_id)
);
CREATE INDEX branch_effects_by_conversation ON turnkeeper.branch_effects (conversation_id);

-- Wrapped by a master key from the configuration. One for each conversation, and for each document.
CREATE TABLE turnkeeper.data_keys (
  id              uuid PRIMARY KEY,
  conversation_id uuid UNIQUE REFERENCES turnkeeper.conversations,
  document_id     uuid UNIQUE REFERENCES turnkeeper.documents,
  wrapped         bytea NOT NULL,
  wrapped_by      text NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now(),
  CHECK (num_nonnulls(conversation_id, document_id) = 1)
);
CREATE INDEX data_keys_by_wrapper ON turnkeeper.data_keys (wrapped_by, id);
`;
