import { ERROR_CODES } from '../../contracts/errors.ts';
import type { ErrorCode } from '../../contracts/errors.ts';
import { describeError } from '../../contracts/thrown.ts';

/** `one file`, `2 files`. */
export function count(number: number, thing: string): string {
  return number === 1 ? `one ${thing}` : `${number.toLocaleString('en')} ${thing}s`;
}

/** Up to three of them, and how many more. */
export function listNames(names: string[]): string {
  const more = names.length > 3 ? ` and ${names.length - 3} more` : '';
  return `${names.slice(0, 3).join(', ')}${more}`;
}

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(ERROR_CODES, code);
}

/** What is wrong, without the advice that every `TurnkeeperError` ends with. */
export function withoutAdvice(code: ErrorCode, message: string): string {
  const advice = ERROR_CODES[code];
  return message.endsWith(advice) ? message.slice(0, -advice.length).trimEnd() : message;
}

export function reasonOf(error: unknown): string {
  return describeError(error);
}
