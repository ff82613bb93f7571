import type { Queryable } from './database.ts';

const PART_BYTES = 1_048_576;

/** Tables of bytes in parts, and the column that names what the parts belong to. */
const OWNERS = { document_parts: 'document_id', file_parts: 'file_id' } as const;

type PartsTable = keyof typeof OWNERS;

/** Stores bytes in parts of 1 MiB; of no bytes there are no parts. */
export async function insertParts(
  tx: Queryable,
  table: PartsTable,
  owner: string,
  content: Uint8Array,
): Promise<void> {
  for (let part = 0; part * PART_BYTES < content.byteLength; part++) {
    const bytes = content.subarray(part * PART_BYTES, (part + 1) * PART_BYTES);
    await tx.query(
      `INSERT INTO turnkeeper.${table} (${OWNERS[table]}, part, content) VALUES ($1, $2, $3)`,
      [owner, part, Buffer.from(bytes)],
    );
  }
}

/** The bytes of one owner, whose tenant the caller has checked. */
export async function readParts(
  db: Queryable,
  table: PartsTable,
  owner: string,
): Promise<Uint8Array> {
  const parts = await db.query<{ content: Buffer }>(
    `SELECT content FROM turnkeeper.${table} WHERE ${OWNERS[table]} = $1 ORDER BY part`,
    [owner],
  );
  return Buffer.concat(parts.map(({ content }) => content));
}
