import type { JsonObject } from '../contracts/json.ts';
import type { Logger } from '../contracts/logger.ts';

type Level = 'info' | 'warn' | 'error';

/** Where lines go; `process.stderr` is one. */
export interface LogStream {
  write(line: string): unknown;
}

/** Writes one JSON line per call: `time` (ISO 8601, UTC), `level`, `message`, then the fields. Never throws. */
export function jsonLogger(stream: LogStream = process.stderr): Logger {
  const at = (level: Level) => (message: string, fields?: JsonObject) => {
    try {
      stream.write(`${toLine(level, message, fields)}\n`);
    } catch {
      // A log that cannot be written must not end a turn.
    }
  };
  return { info: at('info'), warn: at('warn'), error: at('error') };
}

function toLine(level: Level, message: string, fields?: JsonObject): string {
  const head = { time: new Date().toISOString(), level, message };
  try {
    // `head` comes last as well, so that a field cannot pass for the time, the level or the message.
    return JSON.stringify({ ...head, ...fields, ...head });
  } catch (error) {
    return JSON.stringify({ ...head, unloggable: String(error) });
  }
}
