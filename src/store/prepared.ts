import { createHash } from 'node:crypto';
import pg from 'pg';

/** How statements are sent: prepared once for each connection, which spares the server most of its work. */
export interface Preparation {
  statement(sql: string, params: unknown[]): pg.QueryConfig;
  /** Runs `work` again, without prepared statements from now on, where the database turns out not to keep them. */
  retrying<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * A pooler may hand each transaction another connection; the embedded database serves all connections from one session;
 * a migration by a newer release may change the columns of `*`. Nothing of the refused statement was done then.
 */
export function createPreparation(onRefused: (error: Error) => void): Preparation {
  const names = new Map<string, string>();
  let preparing = true;
  const nameOf = (sql: string): string => {
    const name = names.get(sql) ?? fingerprint(sql);
    names.set(sql, name);
    return name;
  };
  return {
    statement: (sql, params) =>
      preparing ? { name: nameOf(sql), text: sql, values: params } : { text: sql, values: params },
    async retrying(work) {
      try {
        return await work();
      } catch (error) {
        if (!refusesPrepared(error)) throw error;
        if (preparing) onRefused(error);
        preparing = false;
        return await work();
      }
    },
  };
}

/** The same for everybody who sends this statement: on a shared connection no name stands for two of them. */
function fingerprint(sql: string): string {
  return `tk_${createHash('sha256').update(sql).digest('hex').slice(0, 24)}`;
}

/** Unknown, already there, or of another shape than when it was prepared. */
function refusesPrepared(error: unknown): error is pg.DatabaseError {
  return error instanceof pg.DatabaseError && /^(26000|42P05|0A000)$/.test(error.code ?? '');
}
