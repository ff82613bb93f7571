/**
 * A turn that fails for good after it has reserved a seat and charged a card, and what is undone then.
 *
 * `npm run example -- compensation`
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig, type Step } from 'turnkeeper';
import { connectWithWorker } from 'turnkeeper/worker';
import { startFailingProvider } from './failing-provider.ts';
import { openLedger } from './ledger.ts';
import { bookingTools } from './tools.ts';

const folder = await mkdtemp(join(tmpdir(), 'booking-'));
const ledger = openLedger(join(folder, 'ledger.jsonl'));

// The model asks for both tools, and when it is to answer, its provider refuses.
const provider = await startFailingProvider(
  process.env['OPENAI_BASE_URL'] || 'https://api.openai.com/v1',
);
const config = loadConfig({ ...process.env, OPENAI_BASE_URL: provider.url });
const quiet = { info: () => undefined, warn: () => undefined, error: console.error };
const turnkeeper = await connectWithWorker({ config, tools: bookingTools(ledger), logger: quiet });

const assistant = await turnkeeper.assistants.create({
  name: 'Travel desk',
  model: process.env['MODEL'] ?? 'gpt-5-nano',
  instructions: 'Reserve the seat and charge the card, both at once, without asking back.',
  tools: ['reserve_seat', 'charge_card'],
});
const conversation = await turnkeeper.conversations.create();
const { id } = await turnkeeper.turns.start({
  conversationId: conversation.id,
  assistantId: assistant.id,
  input: 'I take seat 12A for 49.00 EUR.',
});

const { status, reason } = await turnkeeper.turns.result(id);
console.log(`The turn ${status}: ${reason ?? ''}`);

// Undoing is work of its own, which begins when the turn has ended.
while ((await turnkeeper.turns.get(id)).compensation === 'requested') await sleep(100);

console.log('\nWhat it did:');
for (const step of await turnkeeper.turns.steps(id)) console.log(`  ${describe(step)}`);
console.log('\nThe ledger:');
for (const { what } of ledger.entries()) console.log(`  ${what}`);

await turnkeeper.close();
await provider.close();
await rm(folder, { recursive: true });

function describe({ kind, status, tool, error }: Step): string {
  const name = `${kind} ${tool?.name ?? ''}`.padEnd(26);
  return `${name} ${status}${error ? `: ${error.message}` : ''}`;
}
