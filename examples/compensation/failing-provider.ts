import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';

/** Passes requests on to a provider of models, and refuses those that come with what tools have done. */
export async function startFailingProvider(
  baseUrl: string,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    answer(baseUrl, request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

async function answer(
  baseUrl: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const body = await text(request);
  if (body.includes('function_call_output')) {
    response.writeHead(400, { 'content-type': 'application/json' });
    return void response.end('{"error":{"message":"The provider does not want to answer."}}');
  }
  const upstream = await fetch(`${baseUrl}${request.url ?? ''}`, {
    method: request.method ?? 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: request.headers.authorization ?? '',
    },
    body,
  });
  const type = upstream.headers.get('content-type') ?? 'application/json';
  response.writeHead(upstream.status, { 'content-type': type });
  await pipeline(Readable.fromWeb(upstream.body as ReadableStream), response);
}
