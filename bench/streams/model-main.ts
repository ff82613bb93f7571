/**
 * A model that streams at a steady pace: each delta is the time at which it was sent, in epoch milliseconds. Prints
 * `{"listening": URL}`.
 *
 *     tsx bench/streams/model-main.ts --deltas 500 --pause-ms 20
 */
import { randomUUID } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    deltas: { type: 'string', default: '500' },
    'pause-ms': { type: 'string', default: '20' },
  },
});
const DELTAS = Number(values.deltas);
const PAUSE_MS = Number(values['pause-ms']);

/** One response, and what was sent of it: in the background it goes on, whoever listens. */
interface Generation {
  id: string;
  events: string[];
  listeners: Set<ServerResponse>;
  ended: boolean;
  stop(): void;
}

const generations = new Map<string, Generation>();

const server = createServer((request, answer) => {
  const { pathname, searchParams } = new URL(request.url ?? '', 'http://127.0.0.1');
  const known = generations.get(pathname.split('/')[3] ?? '');
  void text(request).then((body) => {
    if (pathname.endsWith('/cancel')) cancel(answer, known);
    else if (known) listen(answer, known, Number(searchParams.get('starting_after')) + 1);
    else if (request.method === 'POST') create(answer, body);
    else answer.writeHead(404).end();
  });
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ listening: `http://127.0.0.1:${port}/v1` })}\n`);
});

function create(answer: ServerResponse, body: string): void {
  const { background = false } = JSON.parse(body) as { background?: boolean };
  const generation = generate();
  listen(answer, generation, 0);
  if (background) generations.set(generation.id, generation);
  else answer.on('close', () => generation.stop());
}

function listen(answer: ServerResponse, { events, listeners, ended }: Generation, from: number) {
  answer.writeHead(200, { 'content-type': 'text/event-stream' });
  answer.write(events.slice(from).join(''));
  if (ended) return answer.end();
  listeners.add(answer);
  answer.on('close', () => listeners.delete(answer));
}

function cancel(answer: ServerResponse, generation: Generation | undefined): void {
  generation?.stop();
  answer.writeHead(200, { 'content-type': 'application/json' });
  answer.end(JSON.stringify({ id: generation?.id, object: 'response', status: 'cancelled' }));
}

function generate(): Generation {
  const id = `resp_${randomUUID()}`;
  const generation: Generation = {
    ...{ id, events: [], listeners: new Set(), ended: false },
    stop() {
      clearInterval(timer);
    },
  };
  const wire = wireOf(id, (event) => {
    generation.events.push(event);
    for (const answer of generation.listeners) answer.write(event);
  });
  wire.begin();
  const startedAt = performance.now();
  let sent = 0;
  // Late ticks are made up for, so that the pace holds under load.
  const timer = setInterval(() => {
    const due = Math.min(DELTAS, Math.floor((performance.now() - startedAt) / PAUSE_MS));
    for (; sent < due; sent += 1) wire.delta();
    if (sent < DELTAS) return;
    clearInterval(timer);
    wire.end();
    generation.ended = true;
    for (const answer of generation.listeners) answer.end();
  }, PAUSE_MS);
  return generation;
}

function wireOf(id: string, write: (event: string) => void) {
  const response = {
    id,
    object: 'response',
    created_at: Math.floor(Date.now() / 1_000),
    status: 'in_progress',
    model: 'bench-model',
    output: [] as object[],
  };
  const itemId = `msg_${randomUUID()}`;
  const place = { item_id: itemId, output_index: 0, content_index: 0 };
  let number = 0;
  let said = '';
  const send = (event: { type: string } & Record<string, unknown>) => {
    const data = JSON.stringify({ ...event, sequence_number: number++ });
    write(`event: ${event.type}\ndata: ${data}\n\n`);
  };
  const message = (status: string, content: object[]) => {
    return { id: itemId, type: 'message', role: 'assistant', status, content };
  };
  const part = () => ({ type: 'output_text', text: said, annotations: [] });
  return {
    begin() {
      send({ type: 'response.created', response });
      const item = message('in_progress', []);
      send({ type: 'response.output_item.added', output_index: 0, item });
      send({ type: 'response.content_part.added', ...place, part: part() });
    },
    delta() {
      const delta = `${Date.now()} `;
      said += delta;
      send({ type: 'response.output_text.delta', ...place, delta });
    },
    end() {
      send({ type: 'response.output_text.done', ...place, text: said });
      send({ type: 'response.content_part.done', ...place, part: part() });
      const item = message('completed', [part()]);
      send({ type: 'response.output_item.done', output_index: 0, item });
      const usage = {
        input_tokens: 10,
        input_tokens_details: { cached_tokens: 0 },
        output_tokens: DELTAS,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: DELTAS + 10,
      };
      send({
        type: 'response.completed',
        response: { ...response, status: 'completed', output: [item], usage },
      });
    },
  };
}
