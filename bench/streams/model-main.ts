/**
 * A model that streams at a steady pace: each delta is the time at which it was sent, in epoch milliseconds. Prints
 * `{"listening": URL}`.
 *
 *     tsx bench/streams/model-main.ts --deltas 500 --pause-ms 20
 */
import { randomUUID } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    deltas: { type: 'string', default: '500' },
    'pause-ms': { type: 'string', default: '20' },
  },
});
const DELTAS = Number(values.deltas);
const PAUSE_MS = Number(values['pause-ms']);

const server = createServer((request, answer) => {
  request.resume().on('end', () => stream(answer));
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ listening: `http://127.0.0.1:${port}/v1` })}\n`);
});

function stream(answer: ServerResponse): void {
  const wire = wireOf(answer);
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
  }, PAUSE_MS);
  answer.on('close', () => clearInterval(timer));
}

function wireOf(answer: ServerResponse) {
  const response = {
    id: `resp_${randomUUID()}`,
    object: 'response',
    created_at: Math.floor(Date.now() / 1_000),
    status: 'in_progress',
    model: 'bench-model',
    output: [] as object[],
  };
  const itemId = `msg_${randomUUID()}`;
  const place = { item_id: itemId, output_index: 0, content_index: 0 };
  let number = 0;
  let text = '';
  const send = (event: { type: string } & Record<string, unknown>) => {
    const data = JSON.stringify({ ...event, sequence_number: number++ });
    answer.write(`event: ${event.type}\ndata: ${data}\n\n`);
  };
  const message = (status: string, content: object[]) => {
    return { id: itemId, type: 'message', role: 'assistant', status, content };
  };
  const part = () => ({ type: 'output_text', text, annotations: [] });
  return {
    begin() {
      answer.writeHead(200, { 'content-type': 'text/event-stream' });
      send({ type: 'response.created', response });
      const item = message('in_progress', []);
      send({ type: 'response.output_item.added', output_index: 0, item });
      send({ type: 'response.content_part.added', ...place, part: part() });
    },
    delta() {
      const delta = `${Date.now()} `;
      text += delta;
      send({ type: 'response.output_text.delta', ...place, delta });
    },
    end() {
      send({ type: 'response.output_text.done', ...place, text });
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
      answer.end();
    },
  };
}
