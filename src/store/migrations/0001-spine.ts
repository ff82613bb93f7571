/**
 * The first schema. Items, events and definitions are `json`, not `jsonb`: they go back to the model and to readers as
 * they came, key order and `\u0000` included. Text columns hold only what this project wrote or checked.
 */
export const spine = /* sql */ `
CREATE TABLE turnkeeper.assistants (
  number     bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  id         uuid PRIMARY KEY,
  tenant     text NOT NULL,
  version    integer NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX assistants_by_tenant ON turnkeeper.assistants (tenant, number);

CREATE TABLE turnkeeper.assistant_versions (
  assistant_id uuid NOT NULL REFERENCES turnkeeper.assistants,
  version      integer NOT NULL,
  definition   json NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (assistant_id, version)
);

CREATE TABLE turnkeeper.conversations (
  number        bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  id            uuid PRIMARY KEY,
  tenant        text NOT NULL,
  end_user      text,
  metadata      json NOT NULL,
  active_turn   uuid,
  next_position bigint NOT NULL DEFAULT 1,
  created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX conversations_by_tenant ON turnkeeper.conversations (tenant, number);
CREATE INDEX conversations_by_end_user ON turnkeeper.conversations (tenant, end_user, number);

CREATE TABLE turnkeeper.idempotency_keys (
  tenant       text NOT NULL,
  scope        text NOT NULL,
  key          text NOT NULL,
  request_hash text NOT NULL,
  resource_id  uuid NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant, scope, key)
);

CREATE TABLE turnkeeper.turns (
  number            bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  id                uuid PRIMARY KEY,
  tenant            text NOT NULL,
  conversation_id   uuid NOT NULL REFERENCES turnkeeper.conversations,
  assistant_id      uuid NOT NULL,
  assistant_version integer NOT NULL,
  state             text NOT NULL CHECK (state IN ('queued', 'accepted', 'started', 'sealed')),
  status            text NOT NULL CHECK (status IN ('queued', 'in_progress', 'requires_action',
                      'completed', 'incomplete', 'failed', 'cancelled', 'expired')),
  reason            text,
  message           text,
  workflow_input    json NOT NULL,
  deadline          timestamptz NOT NULL,
  next_turn         uuid REFERENCES turnkeeper.turns,
  created_at        timestamptz NOT NULL DEFAULT now(),
  accepted_at       timestamptz,
  started_at        timestamptz,
  sealed_at         timestamptz,
  FOREIGN KEY (assistant_id, assistant_version) REFERENCES turnkeeper.assistant_versions (assistant_id, version)
);
CREATE INDEX turns_by_conversation ON turnkeeper.turns (conversation_id, number);
CREATE INDEX turns_queued ON turnkeeper.turns (conversation_id, number) WHERE state = 'queued';
CREATE INDEX turns_unstarted ON turnkeeper.turns (accepted_at) WHERE state = 'accepted';
CREATE INDEX turns_unsealed ON turnkeeper.turns (deadline) WHERE state IN ('accepted', 'started');

CREATE TABLE turnkeeper.items (
  conversation_id uuid NOT NULL REFERENCES turnkeeper.conversations,
  position        bigint NOT NULL,
  turn_id         uuid REFERENCES turnkeeper.turns,
  step_key        text,
  type            text NOT NULL,
  call_id         text,
  -- Reserved when the call is stored, so that outputs stand in the order of their calls.
  output_position bigint,
  item            json NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (conversation_id, position)
);
CREATE INDEX items_by_turn ON turnkeeper.items (turn_id, position);
CREATE UNIQUE INDEX items_calls ON turnkeeper.items (turn_id, call_id) WHERE type = 'function_call';
CREATE UNIQUE INDEX items_outputs ON turnkeeper.items (turn_id, call_id) WHERE type = 'function_call_output';

CREATE TABLE turnkeeper.steps (
  number           bigint GENERATED ALWAYS AS IDENTITY,
  turn_id          uuid NOT NULL REFERENCES turnkeeper.turns,
  key              text NOT NULL,
  kind             text NOT NULL CHECK (kind IN ('retrieve', 'respond', 'tool')),
  status           text NOT NULL CHECK (status IN ('open', 'completed', 'failed', 'closed')),
  -- The attempt that holds the step: when the server scheduled it, and its number.
  fence_ms         bigint NOT NULL DEFAULT 0,
  fence_attempt    integer NOT NULL DEFAULT 0,
  attempts         integer NOT NULL DEFAULT 0,
  -- Events of the attempt that holds the step: how many, and the number before the first.
  appended         bigint NOT NULL DEFAULT 0,
  base_event       bigint NOT NULL DEFAULT 0,
  model            text,
  follows          json,
  call_id          text,
  tool_name        text,
  policy           text,
  outcome          text CHECK (outcome IN ('succeeded', 'failed', 'unknown')),
  tool_definitions json,
  result           json,
  error            json,
  started_at       timestamptz NOT NULL DEFAULT now(),
  settled_at       timestamptz,
  PRIMARY KEY (turn_id, key)
);

CREATE TABLE turnkeeper.model_calls (
  number           bigint GENERATED ALWAYS AS IDENTITY,
  id               uuid PRIMARY KEY,
  turn_id          uuid NOT NULL REFERENCES turnkeeper.turns,
  step_key         text NOT NULL,
  model            text NOT NULL,
  state            text NOT NULL CHECK (state IN ('intent', 'completed', 'failed', 'abandoned')),
  estimated        boolean NOT NULL DEFAULT true,
  base_event       bigint NOT NULL,
  response_id      text,
  request_id       text,
  error            text,
  input_tokens     bigint NOT NULL DEFAULT 0,
  cached_tokens    bigint NOT NULL DEFAULT 0,
  output_tokens    bigint NOT NULL DEFAULT 0,
  reasoning_tokens bigint NOT NULL DEFAULT 0,
  created_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX model_calls_by_turn ON turnkeeper.model_calls (turn_id, number);

CREATE TABLE turnkeeper.passages (
  turn_id       uuid NOT NULL REFERENCES turnkeeper.turns,
  rank          integer NOT NULL,
  chunk_id      uuid NOT NULL,
  document_id   uuid NOT NULL,
  document_name text NOT NULL,
  start_char    bigint NOT NULL,
  end_char      bigint NOT NULL,
  body          text NOT NULL,
  score         double precision NOT NULL,
  PRIMARY KEY (turn_id, rank)
);

-- Narrow, because every append of a turn updates it.
CREATE TABLE turnkeeper.event_sequences (
  turn_id  uuid PRIMARY KEY,
  next_seq bigint NOT NULL
);

CREATE TABLE turnkeeper.events (
  turn_id    uuid NOT NULL REFERENCES turnkeeper.turns,
  seq        bigint NOT NULL,
  step_key   text,
  event      json NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (turn_id, seq)
);

CREATE TABLE turnkeeper.documents (
  number     bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
  id         uuid PRIMARY KEY,
  tenant     text NOT NULL,
  base       text NOT NULL,
  name       text NOT NULL,
  media_type text NOT NULL,
  bytes      bigint NOT NULL,
  status     text NOT NULL CHECK (status IN ('stored', 'indexed', 'failed')),
  chunks     integer,
  error      json,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX documents_by_tenant ON turnkeeper.documents (tenant, number);
CREATE INDEX documents_by_base ON turnkeeper.documents (tenant, base, number);
CREATE INDEX documents_unindexed ON turnkeeper.documents (created_at) WHERE status = 'stored';

CREATE TABLE turnkeeper.document_parts (
  document_id uuid NOT NULL REFERENCES turnkeeper.documents,
  part        integer NOT NULL,
  content     bytea NOT NULL,
  PRIMARY KEY (document_id, part)
);

-- Appends the events of many steps. A batch lands only while its attempt holds the step and the step has taken
-- exactly the events before it, so that neither a zombie nor a repeated statement shows a token twice. Each statement
-- in here has a snapshot of its own, taken after the locks before it. Answers the batches (1, 2, …) that were refused.
CREATE FUNCTION turnkeeper.append_events(
  tenants text[], turn_ids uuid[], step_keys text[], fences_ms bigint[], fence_attempts integer[], expected bigint[],
  entry_batches integer[], entries json[]
) RETURNS SETOF integer LANGUAGE plpgsql AS $$
DECLARE
  held integer[];
BEGIN
  SELECT coalesce(array_agg(l.n), '{}') INTO held FROM (
    SELECT b.n::integer AS n
    FROM unnest(tenants, turn_ids, step_keys, fences_ms, fence_attempts, expected)
      WITH ORDINALITY AS b (tenant, turn_id, step_key, ms, attempt, count, n)
    JOIN turnkeeper.turns t ON t.id = b.turn_id AND t.tenant = b.tenant
    JOIN turnkeeper.steps s ON s.turn_id = b.turn_id AND s.key = b.step_key
    WHERE s.status = 'open' AND s.fence_ms = b.ms AND s.fence_attempt = b.attempt AND s.appended = b.count
    ORDER BY s.turn_id, s.key
    FOR NO KEY UPDATE OF s
  ) l;

  UPDATE turnkeeper.steps s SET appended = s.appended + c.count
  FROM (SELECT e.batch, count(*) AS count FROM unnest(entry_batches) AS e (batch) GROUP BY e.batch) c
  WHERE c.batch = ANY (held) AND s.turn_id = turn_ids[c.batch] AND s.key = step_keys[c.batch];

  PERFORM 1 FROM turnkeeper.event_sequences q
  WHERE q.turn_id IN (SELECT turn_ids[h] FROM unnest(held) h)
  ORDER BY q.turn_id FOR NO KEY UPDATE;

  WITH accepted AS (
    SELECT turn_ids[e.batch] AS turn_id, step_keys[e.batch] AS step_key, e.event,
      row_number() OVER (PARTITION BY turn_ids[e.batch] ORDER BY e.n) AS place
    FROM unnest(entry_batches, entries) WITH ORDINALITY AS e (batch, event, n)
    WHERE e.batch = ANY (held)
  ), bumped AS (
    UPDATE turnkeeper.event_sequences q SET next_seq = q.next_seq + c.count
    FROM (SELECT a.turn_id, count(*) AS count FROM accepted a GROUP BY a.turn_id) c
    WHERE q.turn_id = c.turn_id
    RETURNING q.turn_id, q.next_seq - c.count AS first
  )
  INSERT INTO turnkeeper.events (turn_id, seq, step_key, event)
  SELECT a.turn_id, b.first + a.place - 1, a.step_key, a.event
  FROM accepted a JOIN bumped b USING (turn_id);

  RETURN QUERY SELECT n FROM generate_series(1, cardinality(turn_ids)) n WHERE n <> ALL (held);
END
$$;
`;
