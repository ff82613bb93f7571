import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

/**
 * For a transaction that locks whole tables: everybody else waits behind it for as long. Less than PostgreSQL takes to
 * look for deadlocks (1 second), so that the others never lose one to it.
 */
export const GIVE_UP_SOON = 'SET LOCAL lock_timeout = 300';

const PAUSE_MS = 1_000;
const ATTEMPTS = 120;

/** Tries again when somebody had a table in hand. */
export async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!isLockTimeout(error) || attempt === ATTEMPTS) throw error;
    }
    await sleep(PAUSE_MS);
  }
}

function isLockTimeout(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '55P03';
}
