import type { IncomingMessage } from 'node:http';
import type { Json } from '../../contracts/json.ts';
import { newId } from './ids.ts';

/** Requests kept; a server that runs for days must not grow. */
const MAX_ENTRIES = 10_000;

/** One request to the model, the control API aside. */
export interface JournalEntry {
  /** When it came in, epoch milliseconds. */
  at: number;
  /** Also its `x-request-id`. */
  id: string;
  method: string;
  path: string;
  headers: Record<string, string>;
  /** Null when there was none or it was no JSON. */
  body: Json;
  responseId: string | null;
  /** The whole answer was sent. */
  finished: boolean;
  /** The client went away before that. */
  aborted: boolean;
  /** The script had no step left for it. */
  scriptExhausted?: boolean;
}

/** What was asked of the model, in order. */
export class Journal {
  #entries: JournalEntry[] = [];

  entries(): JournalEntry[] {
    return this.#entries;
  }

  clear(): void {
    this.#entries = [];
  }

  add(request: IncomingMessage): JournalEntry {
    const entry: JournalEntry = {
      at: Date.now(),
      id: newId('req'),
      method: request.method ?? '',
      path: request.url ?? '',
      headers: redacted(request),
      body: null,
      responseId: null,
      finished: false,
      aborted: false,
    };
    this.#entries.push(entry);
    if (this.#entries.length > MAX_ENTRIES) this.#entries.shift();
    return entry;
  }
}

function redacted(request: IncomingMessage): Record<string, string> {
  const headers = Object.entries(request.headers).map(([name, value]) => [
    name,
    name === 'authorization' ? '[redacted]' : String(value),
  ]);
  return Object.fromEntries(headers) as Record<string, string>;
}
