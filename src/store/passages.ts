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

export async function insertPassages(
  tx: Queryable,
  turnId: string,
  passages: Passage[],
): Promise<void> {
  if (passages.length === 0) return;
  await tx.query(
    `INSERT INTO turnkeeper.passages
       (turn_id, rank, chunk_id, document_id, document_name, start_char, end_char, body, score)
     SELECT $1, p.rank, p.chunk, p.document, p.name, p.first, p.last, p.body, p.score
     FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::double precision[])
       WITH ORDINALITY AS p (chunk, document, name, first, last, body, score, rank)`,
    [
      turnId,
      passages.map((p) => p.chunkId),
      passages.map((p) => p.documentId),
      passages.map((p) => p.documentName),
      passages.map((p) => p.start),
      passages.map((p) => p.end),
      passages.map((p) => p.text),
      passages.map((p) => p.score),
    ],
  );
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
