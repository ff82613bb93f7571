/**
 * A backend endpoint. `POST /chat` starts a turn and streams it; `GET /chat/<turn>?after=<number>` goes on where a broken
 * stream ended. The turn belongs to neither request: it ends whatever becomes of them.
 *
 * Who asks is the end user of the conversation, and only they may go on with it or read its turns. Here the header `x-user`
 * says who that is; take yours from the session.
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
    `try: curl -N http://127.0.0.1:${port}/chat -H 'x-user: ada' -H 'idempotency-key: 1' -d '{"message": "Hello"}'`,
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
  const user = userOf(request);
  const after = readNumber(request.headers['last-event-id'] ?? url.searchParams.get('after'));
  const turn = await turnkeeper.turns.get(turnId);
  if (!(await isOf(user, turn.conversationId)))
    throw new Refused(404, 'turn_not_found', 'There is no such turn.');
  return stream(response, turn.id, after);
}

function userOf({ headers }: IncomingMessage): string {
  const user = headers['x-user'];
  if (typeof user === 'string' && user !== '') return user;
  throw new Refused(401, 'unauthorized', 'Say who you are: x-user.');
}

async function isOf(user: string, conversationId: string): Promise<boolean> {
  return (await turnkeeper.conversations.get(conversationId)).endUser === user;
}

function readNumber(text: unknown): number {
  if (/^\d{1,15}$/.test(String(text ?? 0))) return Number(text ?? 0);
  throw badRequest('Send the number of the last event that you have.');
}

/** Keys are a tenant's, and clients choose what they like: one user's must not be another's. */
function keyOf(user: string, { headers }: IncomingMessage): { idempotencyKey?: string } {
  const key = headers['idempotency-key'];
  return key === undefined ? {} : { idempotencyKey: `${encodeURIComponent(user)}:${String(key)}` };
}

async function chat(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const user = userOf(request);
  const { message, conversation } = await readBody(request);
  if (conversation !== undefined && !(await isOf(user, conversation)))
    throw new Refused(404, 'conversation_not_found', 'There is no such conversation.');
  // With a key, a request that is sent again finds the conversation and the turn that it started.
  const keyed = keyOf(user, request);
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
  message: string;
  conversation: string | undefined;
}

class Refused extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

const badRequest = (message: string) => new Refused(400, 'bad_request', message);

async function readBody(request: IncomingMessage): Promise<ChatBody> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > MAX_BODY_BYTES) throw badRequest(`More than ${MAX_BODY_BYTES} bytes.`);
    chunks.push(chunk);
  }
  const body = parse(Buffer.concat(chunks).toString());
  const { message, conversation } = body;
  if (typeof message !== 'string') throw badRequest('Send {"message": "…"}.');
  return { message, conversation: typeof conversation === 'string' ? conversation : undefined };
}

function parse(text: string): Record<string, unknown> {
  try {
    return { ...(JSON.parse(text) as object) };
  } catch {
    throw badRequest('The body is not JSON.');
  }
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent) return void response.destroy();
  const { status, code, message } = refusalOf(error);
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: { code, message } }));
}

function refusalOf(error: unknown): Refused {
  if (error instanceof Refused) return error;
  if (!isTurnkeeperError(error)) return new Refused(500, 'internal_error', 'Something went wrong.');
  return new Refused(STATUS[error.code] ?? 400, error.code, error.message);
}
