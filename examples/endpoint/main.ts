/**
 * A backend endpoint. `POST /chat` starts a turn and streams it; `GET /chat/<turn>?after=<number>` goes on where a broken
 * stream ended. The turn belongs to neither request: it ends whatever becomes of them.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isTurnkeeperError, type ErrorCode } from 'turnkeeper';
import { connectWithWorker } from 'turnkeeper/worker';

const MAX_BODY_BYTES = 100_000;
/** Every other error is the caller's mistake, or ours. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  conversation_busy: 409,
  idempotency_conflict: 409,
  conversation_not_found: 404,
  turn_not_found: 404,
  database_unreachable: 503,
};

// In production workers are processes of their own, and this is `connect()` from 'turnkeeper'.
const turnkeeper = await connectWithWorker();

const assistant = await turnkeeper.assistants.create({
  name: 'Support',
  model: process.env['MODEL'] ?? 'gpt-5-mini',
  instructions: 'You answer for a bicycle shop. Be brief.',
  fallbackAnswer: 'I cannot answer right now. Please try again in a minute.',
  limits: { maxTurnTokens: 20_000, turnTimeoutMs: 120_000 },
});

const server = createServer((request, response) => {
  route(request, response).catch((error: unknown) => refuse(response, error));
});
server.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  console.log(`listening on http://127.0.0.1:${port}`);
  console.log(
    `try: curl -N http://127.0.0.1:${port}/chat -H 'idempotency-key: 1' -d '{"user": "ada", "message": "Hello"}'`,
  );
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    server.close();
    server.closeAllConnections();
    void turnkeeper.close();
  });
}

async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const [, resource, turnId] = url.pathname.split('/');
  if (resource !== 'chat') return void response.writeHead(404).end();
  if (request.method === 'POST' && !turnId) return chat(request, response);
  if (request.method !== 'GET' || !turnId) return void response.writeHead(405).end();
  const after = Number(request.headers['last-event-id'] ?? url.searchParams.get('after') ?? 0);
  return stream(response, turnId, after);
}

async function chat(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { user, message, conversation } = await readBody(request);
  const key = String(request.headers['idempotency-key'] ?? '');
  // With a key, a request that is sent again finds the conversation and the turn that it started.
  const keyed = key === '' ? {} : { idempotencyKey: key };
  const conversationId =
    conversation ?? (await turnkeeper.conversations.create({ endUser: user, ...keyed })).id;
  const turn = await turnkeeper.turns.start({
    conversationId,
    assistantId: assistant.id,
    input: message,
    ...keyed,
  });
  response.setHeader('x-conversation', conversationId);
  response.setHeader('x-turn', turn.id);
  await stream(response, turn.id, 0);
}

/** Server-Sent Events; `id` is what a browser sends back as Last-Event-ID. */
async function stream(response: ServerResponse, turnId: string, after: number): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  // Throws for a turn that does not exist, before anything is written.
  await turnkeeper.turns.get(turnId);
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  try {
    for await (const { number, event } of turnkeeper.turns.events(turnId, {
      after,
      signal: gone.signal,
    })) {
      const text = `id: ${number}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
      if (!response.write(text)) await drained(response, gone.signal);
    }
    response.end();
  } catch (error) {
    // A reader that has gone needs no answer; another one goes on from the number that it has.
    if (!gone.signal.aborted) response.destroy(error as Error);
  }
}

function drained(response: ServerResponse, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    response.once('drain', resolve);
    gone.addEventListener('abort', () => resolve(), { once: true });
  });
}

interface ChatBody {
  user: string;
  message: string;
  conversation: string | undefined;
}

class BadRequest extends Error {}

async function readBody(request: IncomingMessage): Promise<ChatBody> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BODY_BYTES) throw new BadRequest(`More than ${MAX_BODY_BYTES} bytes.`);
    chunks.push(chunk);
  }
  const body = parse(Buffer.concat(chunks).toString());
  const { user, message, conversation } = body;
  if (typeof user !== 'string' || typeof message !== 'string') {
    throw new BadRequest('Send {"user": "…", "message": "…"}.');
  }
  return {
    user,
    message,
    conversation: typeof conversation === 'string' ? conversation : undefined,
  };
}

function parse(text: string): Record<string, unknown> {
  try {
    return { ...(JSON.parse(text) as object) };
  } catch {
    throw new BadRequest('The body is not JSON.');
  }
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy();
  const known = isTurnkeeperError(error);
  const status = known ? (STATUS[error.code] ?? 400) : error instanceof BadRequest ? 400 : 500;
  const code = known ? error.code : status === 400 ? 'bad_request' : 'internal_error';
  const message = status === 500 ? 'Something went wrong.' : (error as Error).message;
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: { code, message } }));
}
