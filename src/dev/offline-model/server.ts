import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { ApiError, badRequest } from './api-error.ts';
import { control } from './control.ts';
import { createResponse } from './create-response.ts';
import { embeddings } from './embeddings.ts';
import type { Exchange } from './exchange.ts';
import { asObject, openExchange, readJson, sendError, sendJson } from './exchange.ts';
import { checkInput } from './input-rules.ts';
import type { OfflineModel } from './offline-model.ts';
import { readCreateRequest } from './request.ts';
import type { StoredResponse } from './responses.ts';
import { sendEvents } from './stream.ts';
import { inputTokens } from './tokens.ts';

type Handler = (model: OfflineModel, exchange: Exchange, id: string) => Promise<void> | void;

const ROUTES: [method: string, path: RegExp, handler: Handler][] = [
  ['POST', /^\/v1\/responses$/, createResponse],
  ['POST', /^\/v1\/responses\/input_tokens$/, countInput],
  ['GET', /^\/v1\/responses\/([^/]+)$/, retrieveResponse],
  ['POST', /^\/v1\/responses\/([^/]+)\/cancel$/, cancelResponse],
  ['POST', /^\/v1\/embeddings$/, embed],
  ['GET', /^\/v1\/models$/, listModels],
];

/** An HTTP server that speaks the Responses wire below `/v1`; not yet listening. */
export function offlineModelServer(model: OfflineModel): Server {
  return createServer((request, answer) => {
    const handling =
      request.url?.startsWith('/control/') === true
        ? control(model, request, answer)
        : handle(model, request, answer);
    handling.catch((error: unknown) => {
      sendError(answer, error);
    });
  });
}

async function handle(
  model: OfflineModel,
  request: IncomingMessage,
  answer: ServerResponse,
): Promise<void> {
  const entry = model.journal.add(request);
  const exchange = openExchange(request, answer, entry);
  model.open += 1;
  answer.once('close', () => {
    model.open -= 1;
  });
  entry.body = await readJson(request);
  const path = exchange.url.pathname;
  for (const [method, pattern, handler] of ROUTES) {
    const match = method === request.method ? pattern.exec(path) : null;
    if (match === null) continue;
    await handler(model, { ...exchange, body: asObject(entry.body) }, match[1] ?? '');
    return;
  }
  throw new ApiError(404, `Invalid URL (${request.method ?? ''} ${path})`);
}

function find(model: OfflineModel, id: string): StoredResponse {
  const stored = model.responses.get(id);
  if (stored !== undefined) return stored;
  throw new ApiError(404, `Response with id '${id}' not found.`, { param: 'response_id' });
}

async function retrieveResponse(
  model: OfflineModel,
  exchange: Exchange,
  id: string,
): Promise<void> {
  const { answer, entry, gone, url } = exchange;
  const stored = find(model, id);
  entry.responseId = id;
  if (url.searchParams.get('stream') !== 'true') {
    sendJson(answer, 200, stored.snapshot());
    return;
  }
  const after = Number(url.searchParams.get('starting_after') ?? -1);
  if (!Number.isInteger(after)) throw badRequest('Invalid cursor.', 'starting_after');
  if (!stored.request.background || !stored.request.stream) {
    throw badRequest(
      'Only background responses created with stream=true can be streamed.',
      'stream',
    );
  }
  if (!stored.streamable) {
    throw badRequest('Response is too old to be streamed; retrieve it without stream.', 'stream');
  }
  await sendEvents(answer, stored.follow(after, { signal: gone, creator: false }));
  answer.end();
}

function cancelResponse(model: OfflineModel, exchange: Exchange, id: string): void {
  const stored = find(model, id);
  exchange.entry.responseId = id;
  if (!stored.request.background) throw badRequest('Cannot cancel a synchronous response.');
  stored.cancel();
  sendJson(exchange.answer, 200, stored.snapshot());
}

function countInput(_model: OfflineModel, exchange: Exchange): void {
  const request = readCreateRequest(exchange.body);
  checkInput(request.input);
  sendJson(exchange.answer, 200, {
    object: 'response.input_tokens',
    input_tokens: inputTokens(request),
  });
}

function embed(_model: OfflineModel, exchange: Exchange): void {
  sendJson(exchange.answer, 200, embeddings(exchange.body));
}

function listModels(_model: OfflineModel, exchange: Exchange): void {
  const model = {
    id: 'offline-model',
    object: 'model',
    created: 1_760_000_000,
    owned_by: 'turnkeeper',
  };
  sendJson(exchange.answer, 200, { object: 'list', data: [model] });
}
