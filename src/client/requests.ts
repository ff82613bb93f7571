import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { TurnkeeperError, type ErrorCode } from '../contracts/errors.ts';
import { StoreUnavailable, type RequestKey } from '../contracts/store.ts';
import type { Limits } from '../conversation/limits.ts';
import { integer, oneOf, optional, shape, string, type Shape } from './checks.ts';

/** Fingerprint of a request: SHA-256, in hexadecimal, of its canonical JSON (RFC 8785). */
export function requestHash(request: unknown): string {
  return createHash('sha256').update(canonicalJson(request)).digest('hex');
}

/** The key as the store takes it, for a request that came with one. */
export function requestKey(key: string | undefined, request: unknown): [RequestKey?] {
  return key === undefined ? [] : [{ key, requestHash: requestHash(request) }];
}

/** Refuses what is over one of the limits, naming it. `value` is measured as canonical JSON. */
export function checkSize(value: unknown, what: string, limit: keyof Limits, limits: Limits): void {
  checkLimit(Buffer.byteLength(canonicalJson(value)), `bytes of ${what}`, limit, limits);
}

export function checkLimit(
  actual: number,
  what: string,
  limit: keyof Limits,
  limits: Limits,
): void {
  const max = limits[limit];
  if (actual <= max) return;
  throw new TurnkeeperError('input_too_large', `${actual} ${what} are over ${limit} (${max}).`, {
    limit,
    max,
    actual,
  });
}

// The package's types promise an ES module; it is CommonJS and its export is the function itself.
const serialize = canonicalize as unknown as (value: unknown) => string | undefined;

function canonicalJson(value: unknown): string {
  return serialize(value) ?? 'null';
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

type NotFound = Extract<ErrorCode, `${string}_not_found`>;

/** An id in the form the store keeps. What is not a UUID is an unknown id, and the database is not asked. */
export function knownForm(id: string, notFound: NotFound): string {
  if (typeof id === 'string' && UUID.test(id)) return id.toLowerCase();
  const what = notFound.replace('_not_found', '');
  throw new TurnkeeperError(notFound, `There is no ${what} ${JSON.stringify(id)}.`);
}

export const PAGE: Shape = {
  limit: optional(integer(1, 100)),
  cursor: optional(string),
  order: optional(oneOf('asc', 'desc')),
};

export const checkPage = shape(PAGE);

/** Tells callers of an outage of the database by a code. */
export async function reportingOutage<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof StoreUnavailable ? databaseUnreachable(error) : error;
  }
}

export function databaseUnreachable(error: StoreUnavailable): TurnkeeperError {
  return new TurnkeeperError('database_unreachable', `${error.message}.`, {}, error);
}
