import { randomBytes } from 'node:crypto';

/** Unique over restarts, as OpenAI's are: `resp_…`, `msg_…`, `call_…`. */
export function newId(prefix: string): string {
  return `${prefix}_${randomBytes(16).toString('hex')}`;
}
