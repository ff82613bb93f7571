import { setImmediate } from 'node:timers/promises';
import type { PGlite } from '@electric-sql/pglite';
import { endsReady, fatal, simpleQuery, startup, SYNC } from './backend.ts';

export interface Unit {
  bytes: Buffer;
  synced: boolean;
}

/** A connection as the session sees it. */
export interface SessionClient {
  send(bytes: Buffer): void;
  /** Sends, closes, and leaves the session. */
  end(bytes: Buffer): void;
}

export interface Session {
  /** What PostgreSQL answers to a startup message. */
  readonly greeting: Buffer;
  submit(client: SessionClient, unit: Unit): void;
  /** Forgets a client for good; a transaction it left open is rolled back. */
  leave(client: SessionClient): void;
  /** Waits for the running unit; nothing is run after it. */
  close(): Promise<void>;
}

/**
 * PGlite is one PostgreSQL session. This shares it between connections: a client has the session to itself from its
 * first message up to the ReadyForQuery that says it is out of any transaction; the others wait in line. Everything
 * that belongs to a session (settings, session advisory locks) is therefore shared; prepared statements are told apart
 * by name before they come here.
 *
 * A client that is idle inside a transaction for `idleInTransactionMs` is thrown out, because it holds up everybody.
 * `onBroken` is called when PGlite stopped in the middle of a request: the process cannot go on.
 */
export async function shareSession(
  db: PGlite,
  options: { idleInTransactionMs: number; onBroken: (error: Error) => void },
): Promise<Session> {
  const greeting = await run(db, startup('postgres', 'postgres'));
  return new SharedSession(db, greeting, options);
}

async function run(db: PGlite, bytes: Buffer): Promise<Buffer> {
  const output: Buffer[] = [];
  await db.execProtocolRawStream(bytes, {
    onRawData: (data) => output.push(Buffer.from(data)),
  });
  return Buffer.concat(output);
}

class SharedSession implements Session {
  readonly greeting: Buffer;
  readonly #db: PGlite;
  readonly #options: { idleInTransactionMs: number; onBroken: (error: Error) => void };
  readonly #units = new Map<SessionClient, Unit[]>();
  /** Clients with units to run, in the order they came; the holder's turn does not depend on it. */
  readonly #waiting = new Set<SessionClient>();
  /** What such a client still sends belongs to a transaction that is gone: it must not run on its own. */
  readonly #departed = new WeakSet<SessionClient>();
  #holder: SessionClient | null = null;
  #idleTimer: NodeJS.Timeout | undefined;
  #pumping: Promise<void> | null = null;
  #closed = false;

  constructor(
    db: PGlite,
    greeting: Buffer,
    options: { idleInTransactionMs: number; onBroken: (error: Error) => void },
  ) {
    this.#db = db;
    this.greeting = greeting;
    this.#options = options;
  }

  submit(client: SessionClient, unit: Unit): void {
    if (this.#departed.has(client)) return;
    const units = this.#units.get(client) ?? [];
    units.push(unit);
    this.#units.set(client, units);
    this.#waiting.add(client);
    this.#wake();
  }

  leave(client: SessionClient): void {
    this.#departed.add(client);
    this.#units.delete(client);
    this.#waiting.delete(client);
    if (this.#holder === client) this.#wake();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idleTimer);
    await this.#pumping;
  }

  #wake(): void {
    this.#pumping ??= this.#pump()
      .catch((error: unknown) => {
        this.#closed = true;
        this.#options.onBroken(error instanceof Error ? error : new Error(String(error)));
      })
      .finally(() => {
        this.#pumping = null;
      });
  }

  async #pump(): Promise<void> {
    while (!this.#closed) {
      if (this.#holder && this.#departed.has(this.#holder)) await this.#reset();
      const client = this.#next();
      if (!client) return;
      await this.#runUnit(client);
      await setImmediate();
    }
  }

  #next(): SessionClient | null {
    if (this.#holder) return this.#waiting.has(this.#holder) ? this.#holder : null;
    const [first] = this.#waiting;
    return first ?? null;
  }

  async #runUnit(client: SessionClient): Promise<void> {
    clearTimeout(this.#idleTimer);
    const unit = this.#units.get(client)?.shift();
    if (!unit) throw new Error('A client was in line without a request.');
    this.#holder = client;
    const output = await run(this.#db, unit.bytes);
    if (unit.synced && !endsReady(output))
      throw new Error('PGlite stopped in the middle of a request.');
    client.send(output);
    this.#lineUp(client);
    if (unit.synced && !this.#db.isInTransaction()) this.#holder = null;
    else this.#idleTimer = setTimeout(() => this.#expel(client), this.#options.idleInTransactionMs);
  }

  /** To the end of the line, so that a client that pipelines does not keep the others waiting. */
  #lineUp(client: SessionClient): void {
    this.#waiting.delete(client);
    if (this.#units.get(client)?.length) this.#waiting.add(client);
  }

  #expel(client: SessionClient): void {
    client.end(fatal('25P03', 'terminating connection due to idle-in-transaction timeout'));
  }

  /** Ends what a departed client left open, also when it never sent its Sync. */
  async #reset(): Promise<void> {
    clearTimeout(this.#idleTimer);
    await run(this.#db, simpleQuery('ROLLBACK'));
    // After an error PostgreSQL skips everything up to a Sync, the ROLLBACK above included.
    await run(this.#db, SYNC);
    if (this.#db.isInTransaction()) await run(this.#db, simpleQuery('ROLLBACK'));
    this.#holder = null;
  }
}
