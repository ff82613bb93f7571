/** When a sweep last started a document's ingestion, so that sweeps share the work and come to all of them. */
export const documentChecks = /* sql */ `
ALTER TABLE turnkeeper.documents ADD COLUMN ingestion_checked_at timestamptz;
CREATE INDEX documents_to_check ON turnkeeper.documents (ingestion_checked_at NULLS FIRST, created_at)
  WHERE status = 'stored';
`;
