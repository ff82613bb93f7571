import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

export interface Patience {
  /** Between two looks. */
  everyMs: number;
  /** How long one answer may take. */
  answerMs: number;
  /** So many in a row must be missing: a process that was stopped for a while, or a machine that slept, misses one. */
  misses: number;
}

/** Generous, for machines under load and statements that take their time: nobody else is answered meanwhile. */
export const PATIENCE: Patience = { everyMs: 10_000, answerMs: 30_000, misses: 4 };

/** Resolves once the database does not answer any more; with `signal`'s abort it looks no further. */
export async function untilSilent(
  url: string,
  signal: AbortSignal,
  { everyMs, answerMs, misses }: Patience = PATIENCE,
): Promise<void> {
  for (let missed = 0; missed < misses;) {
    await delay(everyMs, undefined, { signal, ref: false });
    missed = (await answers(url, answerMs)) ? 0 : missed + 1;
  }
}

/** A refusal is an answer. */
async function answers(url: string, answerMs: number): Promise<boolean> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: answerMs,
    query_timeout: answerMs,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch (error) {
    return error instanceof pg.DatabaseError;
  } finally {
    void client.end().catch(() => undefined);
  }
}
