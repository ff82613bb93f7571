import { setTimeout as delay } from 'node:timers/promises';
import { ask } from '../support/ask.ts';
import { BASE, CONTEXT_TOKENS, DOCUMENT } from './script.ts';
import { TOOLS } from './tools.ts';

const LIMIT_MS = 60_000;
const LOOK_EVERY_MS = 100;

/** What all turns share: an assistant, and the document that it looks things up in. Answers the assistant's id. */
export async function setUp(url: string): Promise<string> {
  const signal = AbortSignal.timeout(LIMIT_MS);
  await indexDocument(url, signal);
  const { id } = await ask(`${url}/api/assistants`, 'assistant', signal, {
    name: 'Chaos',
    model: 'test-model',
    tools: TOOLS.map(({ name }) => name),
    knowledge: { bases: [BASE] },
    context: { maxTokens: CONTEXT_TOKENS },
  });
  return String(id);
}

async function indexDocument(url: string, signal: AbortSignal): Promise<void> {
  const documents = `${url}/api/documents`;
  const asked = await fetch(`${documents}?base=${BASE}&name=questions.md`, {
    ...{ method: 'POST', body: DOCUMENT, signal },
  });
  const { id } = (await asked.json()) as { id: string };
  while ((await ask(`${documents}/${id}`, 'document', signal))['status'] !== 'indexed')
    await delay(LOOK_EVERY_MS);
}
