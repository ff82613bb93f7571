import { TurnkeeperError } from '../contracts/errors.ts';
import { MAX_NESTING } from '../contracts/json.ts';

/** Refuses a value with `invalid_request`, naming the field by its path. */
export type Check = (value: unknown, path: string) => void;

/** Checks of the fields of an object; others are refused. */
export type Shape = Record<string, Check>;

// Control characters, line and paragraph separators, lone surrogates, and what turns the direction of writing around.
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069]/u;
const LONE_SURROGATE = /\p{Cs}/u;

const MAX_FIELD = 200;

export function refuse(path: string, mistake: string): never {
  const field = shortened(path) || 'request';
  throw new TurnkeeperError('invalid_request', `${field} ${mistake}.`, { field });
}

function shortened(path: string): string {
  const part = MAX_FIELD / 2;
  return path.length > MAX_FIELD ? `${path.slice(0, part)}…${path.slice(-part)}` : path;
}

export function optional(check: Check): Check {
  return (value, path) => {
    if (value !== undefined) check(value, path);
  };
}

export function shape(fields: Shape): Check {
  return (value, path) => {
    const given = requireObject(value, path);
    for (const key of Object.keys(given)) {
      if (!Object.hasOwn(fields, key)) refuse(member(path, key), 'is not a known field');
    }
    for (const [key, check] of Object.entries(fields)) check(given[key], member(path, key));
  };
}

export function list(check: Check, { min = 0, max }: { min?: number; max: number }): Check {
  return (value, path) => {
    if (!Array.isArray(value)) return refuse(path, 'must be an array');
    if (value.length < min || value.length > max) {
      refuse(path, `must have ${min} to ${max} elements, not ${value.length}`);
    }
    value.forEach((element, index) => check(element, `${path}[${index}]`));
  };
}

/** A string with something in it. */
export const text: Check = (value, path) => {
  string(value, path);
  if ((value as string).trim() === '') refuse(path, 'must not be empty');
};

/** Any string that can be written as UTF-8. */
export const string: Check = (value, path) => {
  if (value === undefined) refuse(path, 'is missing');
  if (typeof value !== 'string') return refuse(path, 'must be a string');
  if (LONE_SURROGATE.test(value))
    refuse(path, 'has half of a surrogate pair and is not valid Unicode');
};

/** One printable line of 1 to 255 characters: names and keys. */
export const label: Check = (value, path) => {
  text(value, path);
  const line = value as string;
  if (line.length > 255) refuse(path, `must have at most 255 characters, not ${line.length}`);
  if (UNPRINTABLE.test(line)) refuse(path, 'must have printable characters only');
};

export function integer(min: number, max: number): Check {
  return (value, path) => {
    if (value === undefined) refuse(path, 'is missing');
    if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
      refuse(path, `must be an integer of ${min} to ${max}`);
    }
  };
}

export function oneOf(...values: string[]): Check {
  return (value, path) => {
    if (!values.includes(value as string)) refuse(path, `must be one of ${values.join(', ')}`);
  };
}

export const boolean: Check = (value, path) => {
  if (typeof value !== 'boolean') refuse(path, 'must be true or false');
};

export const signal: Check = (value, path) => {
  const isSignal = typeof value === 'object' && value !== null && 'aborted' in value;
  if (!isSignal) refuse(path, 'must be an AbortSignal');
};

/** Whatever JSON can carry. */
export const jsonValue: Check = (value, path) => {
  if (value === undefined) refuse(path, 'is missing');
  json(value, path, 0);
};

/** An object that JSON can carry. */
export const jsonObject: Check = (value, path) => {
  requireObject(value, path);
  json(value, path, 0);
};

function json(value: unknown, path: string, depth: number): void {
  if (depth > MAX_NESTING) refuse(path, `is nested deeper than ${MAX_NESTING} levels`);
  if (value === null || typeof value === 'boolean' || Number.isFinite(value)) return;
  if (typeof value === 'string') return string(value, path);
  if (Array.isArray(value)) {
    return value.forEach((element, index) => json(element, `${path}[${index}]`, depth + 1));
  }
  const entries = Object.entries(requireObject(value, path, 'must be JSON'));
  for (const [key, element] of entries) {
    if (element !== undefined) json(element, member(path, key), depth + 1);
  }
}

function requireObject(
  value: unknown,
  path: string,
  mistake = 'must be an object',
): Record<string, unknown> {
  // By its tag, for an object of another realm has another prototype; dates, maps and bytes have other tags.
  const isObject = Object.prototype.toString.call(value) === '[object Object]';
  const fields = value as Record<string, unknown>;
  if (!isObject || typeof fields.toJSON === 'function') {
    refuse(path, value === undefined ? 'is missing' : mistake);
  }
  return fields;
}

function member(path: string, key: string): string {
  return path ? `${path}.${key}` : key;
}
