import { validate } from 'uuid';
import type { KeyOwner, KeyStore, WrappedKey } from '../contracts/store.ts';
import type { Database } from './database.ts';

const COLUMNS = 'k.id, k.wrapped, k.wrapped_by AS "wrappedBy"';

/** Where the owner's row is, as `o`, and the column of its key. */
const OWNERS: Record<KeyOwner['kind'], { column: string; row: string }> = {
  turn: {
    column: 'conversation_id',
    row: `(SELECT c.id FROM turnkeeper.turns t JOIN turnkeeper.conversations c ON c.id = t.conversation_id
           WHERE t.id = $1 AND c.deleted_at IS NULL)`,
  },
  conversation: {
    column: 'conversation_id',
    row: '(SELECT id FROM turnkeeper.conversations WHERE id = $1 AND deleted_at IS NULL)',
  },
  document: {
    column: 'document_id',
    row: '(SELECT id FROM turnkeeper.documents WHERE id = $1)',
  },
};

export function keyStore(db: Database): KeyStore {
  const keyOf = async ({ kind, id }: KeyOwner) => {
    const { column, row } = OWNERS[kind];
    const [key] = await db.query<WrappedKey>(
      `SELECT ${COLUMNS} FROM ${row} o JOIN turnkeeper.data_keys k ON k.${column} = o.id`,
      [id],
    );
    return key ?? null;
  };
  return {
    async ensure(owner, fresh) {
      const known = await keyOf(owner);
      if (known) return known;
      const { column, row } = OWNERS[owner.kind];
      await db.query(
        `INSERT INTO turnkeeper.data_keys (id, ${column}, wrapped, wrapped_by)
         SELECT $2, o.id, $3, $4 FROM ${row} o ON CONFLICT (${column}) DO NOTHING`,
        [owner.id, fresh.id, Buffer.from(fresh.wrapped), fresh.wrappedBy],
      );
      // Whoever was first.
      return keyOf(owner);
    },
    async find(id) {
      // It comes from a payload, which anybody may have written.
      if (!validate(id)) return null;
      const [key] = await db.query<WrappedKey>(
        `SELECT ${COLUMNS} FROM turnkeeper.data_keys k WHERE k.id = $1`,
        [id],
      );
      return key ?? null;
    },
    // From one to the next by the index: there are as many keys as conversations.
    wrappers: () =>
      db.query<WrappedKey>(
        `WITH RECURSIVE k AS (
           (SELECT id, wrapped, wrapped_by FROM turnkeeper.data_keys ORDER BY wrapped_by, id LIMIT 1)
           UNION ALL
           SELECT n.id, n.wrapped, n.wrapped_by FROM k CROSS JOIN LATERAL (
             SELECT id, wrapped, wrapped_by FROM turnkeeper.data_keys
             WHERE wrapped_by > k.wrapped_by ORDER BY wrapped_by, id LIMIT 1) n
         ) SELECT ${COLUMNS} FROM k`,
      ),
    wrappedByOthers: (masterKey, limit) =>
      db.query<WrappedKey>(
        `(SELECT ${COLUMNS} FROM turnkeeper.data_keys k WHERE k.wrapped_by < $1 ORDER BY k.wrapped_by, k.id LIMIT $2)
         UNION ALL
         (SELECT ${COLUMNS} FROM turnkeeper.data_keys k WHERE k.wrapped_by > $1 ORDER BY k.wrapped_by, k.id LIMIT $2)
         LIMIT $2`,
        [masterKey, limit],
      ),
    async rewrap({ id, wrapped, wrappedBy }, from) {
      const rows = await db.query(
        `UPDATE turnkeeper.data_keys SET wrapped = $2, wrapped_by = $3
         WHERE id = $1 AND wrapped_by = $4 RETURNING 1`,
        [id, Buffer.from(wrapped), wrappedBy, from],
      );
      return rows.length > 0;
    },
  };
}
