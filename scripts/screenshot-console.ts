/**
 * Takes the pictures of the console for the README: `npx tsx scripts/screenshot-console.ts http://127.0.0.1:8787`, while
 * `npm start` runs without a key. Adds a handbook, an assistant and two turns there.
 */
import type { Page } from 'playwright-core';
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { launchChromium } from '../test/support/chromium.ts';

const VIEWPORT = { width: 1_280, height: 860 };
const MAX_BYTES = 200_000;
const SOON = { timeout: 60_000 };
const QUESTIONS = [
  'How soon does the primary on call answer a page, and what is being primary paid?',
  `What does a year on call cost, at 450 euros a week for the primary and 200 for the secondary?

\`\`\`python
from datetime import date
weeks = (date(2027, 1, 1) - date(2026, 1, 1)).days / 7
print(f"{weeks * (450 + 200):,.0f} euros for {weeks:.1f} weeks")
\`\`\``,
];

async function takePictures(origin: string): Promise<void> {
  const document = readFileSync(new URL('../examples/documents/on-call.md', import.meta.url));
  const added = await post(`${origin}/api/documents?base=handbook&name=on-call.md`, document, {
    'content-type': 'text/markdown',
  });
  await untilIndexed(`${origin}/api/documents/${String(added['id'])}`);
  await post(`${origin}/api/assistants`, JSON.stringify(ASSISTANT), {
    'content-type': 'application/json',
  });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage({ viewport: VIEWPORT });
    await page.goto(`${origin}/console`);
    for (const question of QUESTIONS) await ask(page, question);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      const name = new URL(`../docs/images/console-${colorScheme}.png`, import.meta.url);
      const path = fileURLToPath(name);
      await page.screenshot({ path });
      if (statSync(path).size > MAX_BYTES) throw new Error(`${path} is over ${MAX_BYTES} bytes.`);
    }
  } finally {
    await browser.close();
  }
}

const ASSISTANT = {
  name: 'Handbook',
  model: 'gpt-5-mini',
  instructions: 'Answer from the passages you are given and cite them. Compute with code.',
  knowledge: { bases: ['handbook'] },
  tools: ['run_code'],
};

async function ask(page: Page, question: string): Promise<void> {
  await page.getByRole('link', { name: 'New conversation' }).click();
  await page.getByRole('heading', { name: 'Start a turn' }).waitFor();
  await page.getByLabel('Message').fill(question);
  await page.getByLabel('Assistant').selectOption({ index: 0 });
  await page.getByRole('button', { name: 'Send' }).click();
  await page.locator('.question', { hasText: question.slice(0, 30) }).waitFor(SOON);
  await page.locator('.watched .badge', { hasText: 'completed' }).waitFor(SOON);
}

async function untilIndexed(url: string): Promise<void> {
  const end = Date.now() + SOON.timeout;
  for (;;) {
    const { status } = (await (await fetch(url)).json()) as { status: string };
    if (status === 'indexed') return;
    if (status === 'failed' || Date.now() > end) throw new Error(`The document is ${status}.`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function post(
  url: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string>,
): Promise<Record<string, unknown>> {
  const response = await fetch(url, { method: 'POST', body, headers });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Record<string, unknown>;
}

const [origin] = process.argv.slice(2);
if (!origin) throw new Error('Usage: tsx scripts/screenshot-console.ts <http://host:port>');
await takePictures(origin);
