/**
 * Records the histories that later releases must be able to replay:
 *
 *     npm run record-histories [-- --force]
 *
 * Runs turns and an ingestion on a development server with a real worker and writes their histories to
 * test/replay/histories/v<version>. A version that is there already is kept as it is, unless forced.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { AssistantDefinition } from '../src/contracts/assistant.ts';
import type { ScriptStep } from '../src/dev/offline-model/script.ts';
import { exportHistory } from './export-history.ts';
import { openStage, type Stage } from './recording-stage.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TOOLS = join(ROOT, 'test/replay/tools.ts');
const END_TIMEOUT_MS = 60_000;
const BASE = 'handbook';

interface Recording {
  assistant?: Partial<AssistantDefinition>;
  script: ScriptStep[];
  /** Cancelled once the model is in mid-answer. */
  cancel?: true;
}

const answer: ScriptStep = { kind: 'answer', text: 'Yes.' };
const callAdd = (callId: string) => ({ name: 'add', arguments: { a: 1, b: 2 }, callId });
const refusal: ScriptStep = { kind: 'error', status: 400, code: 'context_length_exceeded' };

const RECORDINGS: Record<string, Recording> = {
  plain: { script: [answer] },
  retrieval: { assistant: { knowledge: { bases: [BASE] } }, script: [answer] },
  'one-tool': {
    assistant: { tools: ['add'] },
    script: [{ kind: 'calls', calls: [callAdd('call_1')] }, answer],
  },
  'three-tools': {
    assistant: { tools: ['add', 'send'] },
    script: [
      {
        kind: 'calls',
        calls: [
          callAdd('call_1'),
          { name: 'send', arguments: {}, callId: 'call_2' },
          { name: 'no_such_tool', arguments: {}, callId: 'call_3' },
        ],
      },
      answer,
    ],
  },
  failed: { script: [{ kind: 'error', status: 400 }] },
  cancelled: { script: [{ kind: 'hold', text: 'one two', afterDeltas: 1 }], cancel: true },
  incomplete: {
    assistant: { tools: ['add'], limits: { maxRounds: 1 } },
    script: [{ kind: 'calls', calls: [callAdd('call_1')] }],
  },
  expired: { assistant: { limits: { turnTimeoutMs: 2_000 } }, script: [{ kind: 'hang' }] },
  'fallback-model': { assistant: { fallbackModel: 'large' }, script: [refusal, answer] },
  'fallback-answer': {
    assistant: { fallbackModel: 'large', fallbackAnswer: 'Please call us.' },
    script: [refusal, refusal],
  },
};

/** Name and content of each file. */
async function record(stage: Stage): Promise<Map<string, string>> {
  const { turnkeeper, temporal } = stage;
  const files = new Map<string, string>();
  const content = 'Ladders are kept in the shed. Ask for the key at the desk.';
  const { id } = await turnkeeper.documents.add({ base: BASE, name: 'ladders.md', content });
  const { status } = await turnkeeper.documents.whenIndexed(id, { timeoutMs: END_TIMEOUT_MS });
  if (status !== 'indexed') throw new Error(`The document is ${status}.`);
  files.set('ingestion', await exportHistory(temporal, `ingest:${id}`));
  for (const [name, recording] of Object.entries(RECORDINGS)) {
    files.set(name, await exportHistory(temporal, await runTurn(stage, recording)));
  }
  return files;
}

async function runTurn({ turnkeeper, offline }: Stage, recording: Recording): Promise<string> {
  const { assistant, script, cancel } = recording;
  const definition = { name: 'Clerk', model: 'small', ...assistant };
  const { id: assistantId } = await turnkeeper.assistants.create(definition);
  const { id: conversationId } = await turnkeeper.conversations.create();
  await offline.script(script);
  const input = 'Where are the ladders?';
  const { id } = await turnkeeper.turns.start({ conversationId, assistantId, input });
  if (cancel) {
    while ((await offline.state()).held === 0) await new Promise((next) => setTimeout(next, 20));
    await turnkeeper.turns.cancel(id);
  }
  const { status } = await turnkeeper.turns.result(id, { timeoutMs: END_TIMEOUT_MS });
  const { stepsLeft, exhausted } = await offline.state();
  if (stepsLeft + exhausted > 0) throw new Error(`The model was not asked as planned: ${status}.`);
  return id;
}

async function writeNew(directory: string): Promise<void> {
  const stage = await openStage(TOOLS);
  try {
    const files = await record(stage);
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
    for (const [name, content] of files) await writeFile(join(directory, `${name}.json`), content);
    console.log(`${files.size} histories are in ${directory}.`);
  } finally {
    await stage.close();
  }
}

const { values } = parseArgs({ options: { force: { type: 'boolean', default: false } } });
const manifest = await readFile(join(ROOT, 'package.json'), 'utf8');
const { version } = JSON.parse(manifest) as { version: string };
const directory = join(ROOT, `test/replay/histories/v${version}`);
if (existsSync(directory) && !values.force) {
  console.error(`${directory} is there already, and stays as it is. --force replaces it.`);
  process.exitCode = 1;
} else {
  await writeNew(directory);
}
