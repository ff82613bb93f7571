import pg from 'pg';
import type { Logger } from '../contracts/logger.ts';
import { StoreUnavailable } from '../contracts/store.ts';
import { createPreparation, type Preparation } from './prepared.ts';

export interface Queryable {
  query<Row>(sql: string, params?: unknown[]): Promise<Row[]>;
}

export interface Database extends Queryable {
  /** Runs `work` in one transaction, again when it lost a deadlock. `work` awaits nothing but its queries. */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  connectionString: string;
  poolSize: number;
  /** A statement that takes longer is given up, with its connection; 0 for as long as it takes. */
  queryTimeoutMs?: number;
  logger?: Logger;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** A partitioned network never answers: give up on the connection then. */
const QUERY_TIMEOUT_MS = 30_000;
const DEADLOCK_RETRIES = 5;
/** A process that freezes in mid-transaction must not keep its locks until TCP notices, hours later. */
const BEGIN = 'BEGIN; SET LOCAL idle_in_transaction_session_timeout = 10000';

export function openDatabase(options: DatabaseOptions): Database {
  const { connectionString, poolSize, queryTimeoutMs = QUERY_TIMEOUT_MS, logger } = options;
  const pool = new pg.Pool({
    connectionString,
    max: poolSize,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: queryTimeoutMs,
    keepAlive: true,
    // What is asked before an answer has come is sent at once: a transaction waits only for what it has to know.
    pipeline: true,
    application_name: 'turnkeeper',
    types: numbersForBigints(),
  });
  // An idle connection that breaks is replaced by the pool; the next query tells whether the database is away.
  pool.on('error', () => undefined);
  const preparation = createPreparation((error) =>
    logger?.warn('statements are not prepared any more', { error: error.message }),
  );
  const attempt = <T>(work: () => Promise<T>) => translated(() => preparation.retrying(work));
  return {
    query: (sql, params) => attempt(() => run(pool, preparation, sql, params)),
    transaction: (work) => attempt(() => inTransaction(pool, preparation, work)),
    close: () => pool.end(),
  };
}

/** Positions, numbers and token counts are far below 2^53. */
function numbersForBigints(): pg.TypeOverrides {
  const types = new pg.TypeOverrides();
  types.setTypeParser(pg.types.builtins.INT8, Number);
  return types;
}

async function run<Row>(
  client: pg.Pool | pg.PoolClient,
  preparation: Preparation,
  sql: string,
  params: unknown[] = [],
): Promise<Row[]> {
  // A parameterless query may hold several statements, as migrations do.
  const statement = params.length > 0 ? preparation.statement(sql, params) : sql;
  const result = await client.query(statement);
  return (result as { rows?: Row[] }).rows ?? [];
}

async function inTransaction<T>(
  pool: pg.Pool,
  preparation: Preparation,
  work: (tx: Queryable) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await once(pool, preparation, work);
    } catch (error) {
      if (!lostToAnother(error) || attempt === DEADLOCK_RETRIES) throw error;
    }
  }
}

async function once<T>(
  pool: pg.Pool,
  preparation: Preparation,
  work: (tx: Queryable) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  const remember = (error: Error) => {
    broken = error;
  };
  client.on('error', remember);
  try {
    const begun = client.query(BEGIN);
    const result = await work({
      query: (sql, params) => after(begun, run(client, preparation, sql, params)),
    });
    await client.query('COMMIT');
    return result;
  } catch (error) {
    if (isConnectionFailure(error)) broken = error as Error;
    else await client.query('ROLLBACK').catch(remember);
    throw error;
  } finally {
    client.off('error', remember);
    client.release(broken);
  }
}

/** Nothing is asked on the strength of an answer from outside a transaction that could not begin. */
async function after<T>(begun: Promise<unknown>, answer: Promise<T>): Promise<T> {
  const [, result] = await Promise.all([begun, answer]);
  return result;
}

function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

function lostToAnother(error: unknown): boolean {
  const state = sqlState(error);
  return state === '40P01' || state === '40001';
}

/**
 * Connection exceptions, idling too long, refused logins, lack of resources, operator intervention (timeouts, shutdown);
 * and what the driver says without a SQLSTATE.
 */
function isConnectionFailure(error: unknown): boolean {
  const state = sqlState(error);
  if (state !== undefined) return /^(08|25P03|28|3D|53|57)/.test(state);
  if (error instanceof AggregateError) return error.errors.some(isConnectionFailure);
  if (!(error instanceof Error)) return false;
  if ('code' in error && typeof error.code === 'string')
    return /^E(?!RR_)[A-Z_]+$/.test(error.code);
  return (
    error.constructor === Error &&
    /connection|timeout|terminated|not queryable/i.test(error.message)
  );
}

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isConnectionFailure(error) ? new StoreUnavailable(error) : error;
  }
}
