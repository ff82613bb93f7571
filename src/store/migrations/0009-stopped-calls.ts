/** Responses that may go on at their provider for nobody: when a sweep tells it to stop them next, and how often one has. */
export const stoppedCalls = /* sql */ `
ALTER TABLE turnkeeper.model_calls ADD COLUMN stop_at timestamptz;
ALTER TABLE turnkeeper.model_calls ADD COLUMN stop_tries integer NOT NULL DEFAULT 0;
CREATE INDEX model_calls_to_stop ON turnkeeper.model_calls (stop_at) WHERE stop_at IS NOT NULL;
`;
