import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from '../contracts/logger.ts';

export interface DirectConnectionOptions {
  connectionString: string;
  logger: Logger;
  /** Called with each connection that is made, as it is handed out. */
  prepare: (client: pg.Client) => Promise<void>;
}

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 10_000;
const TIMEOUT_MS = 5_000;
/** A connection that broke without a word is found out by this. */
const CHECK_EVERY_MS = 15_000;

/** One connection beside the pool, made anew whenever it breaks. */
export class DirectConnection {
  readonly #options: DirectConnectionOptions;
  readonly #closing = new AbortController();
  readonly #kept: Promise<void>;
  #client: pg.Client | null = null;

  constructor(options: DirectConnectionOptions) {
    this.#options = options;
    this.#kept = this.#keep();
  }

  /** Null while there is none. */
  get client(): pg.Client | null {
    return this.#client;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#kept;
  }

  async #keep(): Promise<void> {
    const { logger } = this.#options;
    const { signal } = this.#closing;
    const closed = () => signal.aborted;
    let away = false;
    let delay = FIRST_RETRY_MS;
    const connected = () => {
      if (away) logger.info('notifications are back');
      away = false;
      delay = FIRST_RETRY_MS;
    };
    while (!closed()) {
      const error = await this.#useOne(connected);
      if (closed()) return;
      if (!away) logger.warn('no notifications, events are polled for', { error });
      away = true;
      await sleep(delay, undefined, { signal }).catch(() => undefined);
      delay = Math.min(delay * 2, LAST_RETRY_MS);
    }
  }

  /** Answers why it ended. */
  async #useOne(connected: () => void): Promise<string> {
    const client = new pg.Client({
      connectionString: this.#options.connectionString,
      connectionTimeoutMillis: TIMEOUT_MS,
      query_timeout: TIMEOUT_MS,
      keepAlive: true,
      application_name: 'turnkeeper-notifications',
    });
    const ended = untilEnded(client);
    try {
      await client.connect();
      this.#client = client;
      await this.#options.prepare(client);
      connected();
      return await Promise.race([ended, checkAgainAndAgain(client, this.#closing.signal)]);
    } catch (error) {
      return reasonOf(error);
    } finally {
      this.#client = null;
      void client.end().catch(() => undefined);
    }
  }
}

function untilEnded(client: pg.Client): Promise<string> {
  return new Promise((resolve) => {
    client.on('error', (error) => resolve(reasonOf(error)));
    client.on('end', () => resolve('The connection has ended.'));
  });
}

/** Rejects when a check fails, or nobody needs the connection any more. */
async function checkAgainAndAgain(client: pg.Client, closing: AbortSignal): Promise<never> {
  for (;;) {
    await sleep(CHECK_EVERY_MS, undefined, { signal: closing });
    await client.query('SELECT 1');
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || ('code' in error ? String(error.code) : error.name);
}
