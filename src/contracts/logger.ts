import type { JsonObject } from './json.ts';

/** One JSON line per call. Never give it prompts, answers, arguments or keys. */
export interface Logger {
  info(message: string, fields?: JsonObject): void;
  warn(message: string, fields?: JsonObject): void;
  error(message: string, fields?: JsonObject): void;
}
