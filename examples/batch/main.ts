/**
 * A batch job: one turn for each of 1,000 messages, 50 at a time. Run it again on the same database after it was
 * interrupted: the keys give the turns that were started before, and nothing that was answered is asked or paid for twice.
 *
 * `npm run example -- batch --data-dir .turnkeeper/batch [--count 1000] [--out answers.jsonl] [--job orders-2026-11]`
 *
 * Without the folder, and with no DATABASE_URL, the database is temporary: another run then begins from nothing.
 */
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import type { TurnResult } from 'turnkeeper';
import { connectWithWorker, defineTool } from 'turnkeeper/worker';
import { createProgressBar } from './progress-bar.ts';

const AT_ONCE = 50;

const { values: options } = parseArgs({
  options: {
    count: { type: 'string', default: '1000' },
    out: { type: 'string', default: 'answers.jsonl' },
    // The job's name is part of each key: another job asks anew.
    job: { type: 'string', default: 'orders' },
  },
});

const orderStatus = defineTool({
  name: 'order_status',
  description: 'Where an order is.',
  parameters: {
    type: 'object',
    properties: { order: { type: 'string', pattern: '^AB-\\d{4}$' } },
    required: ['order'],
    additionalProperties: false,
  },
  policy: 'idempotent',
  run: ({ order }) => ({
    order: order ?? null,
    status: Number(String(order).at(-1)) % 2 ? 'sent' : 'packed',
  }),
});

const quiet = { info: () => undefined, warn: () => undefined, error: console.error };
const turnkeeper = await connectWithWorker({ tools: [orderStatus], logger: quiet });

const assistant = await turnkeeper.assistants.create({
  name: 'Order desk',
  model: process.env['MODEL'] ?? 'gpt-5-nano',
  instructions: 'Say where the order is, in one sentence.',
  tools: ['order_status'],
  idempotencyKey: options.job,
});

const messages = Array.from(
  { length: Number(options.count) },
  (_, index) => `Where is my order AB-${String(index).padStart(4, '0')}?`,
);
const bar = createProgressBar(process.stderr, messages.length);
const out = createWriteStream(options.out);
const tally: Record<string, number> = {};
let tokens = 0;

const queue = messages.entries();
await Promise.all(Array.from({ length: AT_ONCE }, () => work()));
bar.end();
out.end();
await finished(out);
await turnkeeper.close();
console.log(`${JSON.stringify(tally)}, ${tokens} tokens, answers in ${options.out}`);
process.exitCode = tally['completed'] === messages.length ? 0 : 1;

/** Takes one message after the other until there are none. */
async function work(): Promise<void> {
  for (const [index, message] of queue) {
    const { status, answer, usage } = await answerOf(index, message);
    out.write(`${JSON.stringify({ index, message, status, answer })}\n`);
    tally[status] = (tally[status] ?? 0) + 1;
    tokens += usage.totalTokens;
    bar.advance();
  }
}

async function answerOf(index: number, message: string): Promise<TurnResult> {
  const idempotencyKey = `${options.job}:${index}`;
  const conversation = await turnkeeper.conversations.create({ idempotencyKey });
  const turn = await turnkeeper.turns.start({
    conversationId: conversation.id,
    assistantId: assistant.id,
    input: message,
    idempotencyKey,
  });
  return turnkeeper.turns.result(turn.id);
}
