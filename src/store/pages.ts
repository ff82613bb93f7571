import { TurnkeeperError } from '../contracts/errors.ts';
import type { Page, PageRequest } from '../contracts/store.ts';
import type { Queryable } from './database.ts';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 100;

export interface Listing<Row, T> {
  /** `SELECT … FROM … WHERE …`, with `params` filled in. */
  sql: string;
  params: unknown[];
  /** Column that orders the rows: unique, and never changed. */
  column: string;
  place: (row: Row) => number;
  map: (row: Row) => T;
}

/** One page by keyset: stays right while rows are added. */
export async function readPage<Row, T>(
  db: Queryable,
  listing: Listing<Row, T>,
  page: PageRequest,
): Promise<Page<T>> {
  const limit = checkedLimit(page.limit);
  const descending = page.order === 'desc';
  const params = [...listing.params];
  const after =
    page.cursor === undefined ? '' : afterCursor(listing.column, page.cursor, descending, params);
  params.push(limit + 1);
  const rows = await db.query<Row>(
    `${listing.sql}${after} ORDER BY ${listing.column} ${descending ? 'DESC' : 'ASC'} LIMIT $${params.length}`,
    params,
  );
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const more = rows.length > limit && last !== undefined;
  return {
    data: shown.map(listing.map),
    nextCursor: more ? encodeCursor(listing.place(last)) : null,
  };
}

function afterCursor(
  column: string,
  cursor: string,
  descending: boolean,
  params: unknown[],
): string {
  params.push(decodeCursor(cursor));
  return ` AND ${column} ${descending ? '<' : '>'} $${params.length}`;
}

function checkedLimit(limit = DEFAULT_LIMIT): number {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new TurnkeeperError('invalid_request', `limit must be 1 to ${MAX_LIMIT}, not ${limit}.`);
}

function encodeCursor(place: number): string {
  return Buffer.from(String(place)).toString('base64url');
}

function decodeCursor(cursor: string): number {
  const text = Buffer.from(cursor, 'base64url').toString();
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new TurnkeeperError('invalid_cursor', 'The cursor is not one of this list.');
}
