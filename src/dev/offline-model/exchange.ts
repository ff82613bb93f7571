import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Json, JsonObject } from '../../contracts/json.ts';
import { ApiError, badRequest } from './api-error.ts';
import type { JournalEntry } from './journal.ts';
import { isObject } from '../../conversation/items.ts';

/** One request to the model and its answer. */
export interface Exchange {
  answer: ServerResponse;
  url: URL;
  body: JsonObject;
  entry: JournalEntry;
  /** Aborted when the client went away before the whole answer was sent. */
  gone: AbortSignal;
  /** Breaks the connection from this side. */
  cut(): void;
}

/** Keeps the journal entry up to date until the answer is sent or the connection gone. */
export function openExchange(
  request: IncomingMessage,
  answer: ServerResponse,
  entry: JournalEntry,
): Omit<Exchange, 'body'> {
  const gone = new AbortController();
  let cut = false;
  answer.setHeader('x-request-id', entry.id);
  answer.once('finish', () => {
    entry.finished = true;
  });
  answer.once('close', () => {
    if (entry.finished) return;
    entry.aborted = !cut;
    gone.abort();
  });
  return {
    answer,
    url: new URL(request.url ?? '/', 'http://offline'),
    entry,
    gone: gone.signal,
    cut() {
      cut = true;
      answer.destroy();
    },
  };
}

/** The body as JSON; null when there is none. Throws `ApiError` on anything else. */
export async function readJson(request: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  if (chunks.length === 0) return null;
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as Json;
  } catch {
    throw badRequest('We could not parse the JSON body of your request.');
  }
}

export function asObject(body: Json): JsonObject {
  return isObject(body) ? body : {};
}

/** Takes any object: wire types are interfaces, which TypeScript doesn't count as JSON. */
export function sendJson(answer: ServerResponse, status: number, body: object): void {
  answer.writeHead(status, { 'content-type': 'application/json' });
  answer.end(JSON.stringify(body));
}

export function sendError(answer: ServerResponse, error: unknown): void {
  const known =
    error instanceof ApiError
      ? error
      : new ApiError(500, `The offline model failed: ${String(error)}`, { type: 'server_error' });
  if (answer.headersSent) {
    answer.destroy();
    return;
  }
  for (const [name, value] of Object.entries(known.headers)) answer.setHeader(name, value);
  sendJson(answer, known.status, known.body());
}
