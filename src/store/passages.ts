import type { Passage } from '../contracts/retrieval.ts';
import type { Queryable } from './database.ts';

interface PassageRow {
  chunk_id: string;
  document_id: string;
  document_name: string;
  start_char: number;
  end_char: number;
  body: string;
  score: number;
}

/** Those of them whose documents are indexed: an index may still have chunks of one that failed. Answers how many. */
export async function insertPassages(
  tx: Queryable,
  { tenant, turnId }: { tenant: string; turnId: string },
  passages: Passage[],
): Promise<number> {
  if (passages.length === 0) return 0;
  const inserted = await tx.query(
    `INSERT INTO turnkeeper.passages
       (turn_id, rank, chunk_id, document_id, document_name, start_char, end_char, body, score)
     SELECT $1, p.rank, p.chunk, p.document, p.name, p.first, p.last, p.body, p.score
     FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::double precision[])
       WITH ORDINALITY AS p (chunk, document, name, first, last, body, score, rank)
     JOIN turnkeeper.documents d ON d.id = p.document AND d.tenant = $9 AND d.status = 'indexed'
     RETURNING 1`,
    [
      turnId,
      passages.map((p) => p.chunkId),
      passages.map((p) => p.documentId),
      passages.map((p) => p.documentName),
      passages.map((p) => p.start),
      passages.map((p) => p.end),
      passages.map((p) => p.text),
      passages.map((p) => p.score),
      tenant,
    ],
  );
  return inserted.length;
}

/** What the model was given, best first. */
export async function readSources(db: Queryable, turnId: string): Promise<Passage[]> {
  const rows = await db.query<PassageRow>(
    'SELECT * FROM turnkeeper.passages WHERE turn_id = $1 ORDER BY rank',
    [turnId],
  );
  return rows.map((row) => ({
    chunkId: row.chunk_id,
    documentId: row.document_id,
    documentName: row.document_name,
    start: row.start_char,
    end: row.end_char,
    text: row.body,
    score: row.score,
  }));
}
