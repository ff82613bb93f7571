import { resolve } from 'node:path';
import { TurnkeeperError } from '../contracts/errors.ts';
import {
  SETTINGS,
  type Choice,
  type ChoiceName,
  type DefaultedName,
  type NumberName,
  type SettingName,
} from './settings.ts';
import type { Setting } from './settings/setting.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Null when unset; an empty variable counts as unset. A value of several lines is a mistake in quoting. */
export function readText(env: Environment, name: SettingName): string | null {
  const value = env[name]?.trim();
  if (value === undefined || value === '') return null;
  const setting: Setting = SETTINGS[name];
  if (/\p{Cc}/u.test(value))
    throw invalid(name, setting.secret ? '***' : value, 'one line of text');
  return value;
}

export function readWithDefault(env: Environment, name: DefaultedName): string {
  return readText(env, name) ?? SETTINGS[name].default;
}

/** An absolute path; a relative one counts from the working directory. */
export function readPath(env: Environment, name: SettingName): string | null {
  const value = readText(env, name);
  return value === null ? null : resolve(value);
}

export function readNumber(env: Environment, name: NumberName & DefaultedName): number {
  return parseNumber(name, readWithDefault(env, name));
}

/** Null when unset. */
export function readOptionalNumber(env: Environment, name: NumberName): number | null {
  const value = readText(env, name);
  return value === null ? null : parseNumber(name, value);
}

function parseNumber(name: NumberName, value: string): number {
  const { range, unit }: Setting & { range: readonly [number, number] } = SETTINGS[name];
  const number = /^\d+$/.test(value) ? Number(value) : NaN;
  if (number >= range[0] && number <= range[1]) return number;
  const of = unit ? ` of ${unit}` : '';
  throw invalid(name, value, `a whole number${of} from ${range[0]} to ${range[1]}`);
}

export function readChoice<N extends ChoiceName>(env: Environment, name: N): Choice<N> | null {
  const setting: Setting = SETTINGS[name];
  const value = readText(env, name) ?? setting.default;
  if (value === null || setting.oneOf?.includes(value)) return value as Choice<N> | null;
  throw invalid(name, value, `one of ${setting.oneOf?.join(', ')}`);
}

export function readPostgresUrl(env: Environment, name: SettingName): string | null {
  return readUrl(
    env,
    name,
    ['postgres:', 'postgresql:'],
    'postgres://user:password@host:5432/name',
  );
}

export function readHttpUrl(env: Environment, name: SettingName): string | null {
  const value = readUrl(env, name, ['http:', 'https:'], 'http://host:port/path');
  const url = value === null ? null : parseUrl(value);
  if (!url?.username && !url?.password) return value;
  throw invalid(name, redactUrl(url.href), 'a URL without user and password');
}

function readUrl(
  env: Environment,
  name: SettingName,
  protocols: string[],
  form: string,
): string | null {
  const value = readText(env, name);
  if (value === null) return null;
  if (protocols.includes(parseUrl(value)?.protocol ?? '')) return value;
  throw invalid(name, redactUrl(value), `a URL of the form ${form}`);
}

export function missing(setting: SettingName, message: string): TurnkeeperError {
  return new TurnkeeperError('missing_setting', message, { setting });
}

export function invalid(setting: SettingName, value: string, allowed: string): TurnkeeperError {
  return new TurnkeeperError(
    'invalid_setting',
    `${setting} is "${value}"; it must be ${allowed}.`,
    {
      setting,
      value,
    },
  );
}

/** The URL without its password and without parameters, which may carry one; `***` when it is no URL. */
export function redactUrl(value: string): string {
  const url = parseUrl(value);
  // `user:password@host` parses too, as something of the protocol `user:`.
  if (!url || !value.startsWith(`${url.protocol}//`)) return '***';
  const user = url.username === '' ? '' : `${url.username}${url.password === '' ? '' : ':***'}@`;
  return `${url.protocol}//${user}${url.host}${url.pathname}${url.search === '' ? '' : '?***'}`;
}

function parseUrl(value: string): URL | null {
  return URL.canParse(value) ? new URL(value) : null;
}
