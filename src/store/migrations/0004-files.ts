/** What tools made, in parts like documents. */
export const files = /* sql */ `
CREATE TABLE turnkeeper.files (
  number     bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  id         uuid PRIMARY KEY,
  tenant     text NOT NULL,
  turn_id    uuid NOT NULL REFERENCES turnkeeper.turns,
  name       text NOT NULL,
  media_type text NOT NULL,
  bytes      bigint NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX files_by_tenant ON turnkeeper.files (tenant, number);
CREATE INDEX files_by_turn ON turnkeeper.files (turn_id, number);

CREATE TABLE turnkeeper.file_parts (
  file_id uuid NOT NULL REFERENCES turnkeeper.files,
  part    integer NOT NULL,
  content bytea NOT NULL,
  PRIMARY KEY (file_id, part)
);
`;
