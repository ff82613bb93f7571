/**
 * Records the histories that later releases must be able to replay:
 *
 *     npm run record-histories [-- --force]
 *
 * Runs turns and an ingestion on a development server with a real worker and writes their histories to
 * test/replay/histories/v<version>. Those that are there already are kept as they are, unless forced.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { SubmitActions } from '../src/client/submit-actions.ts';
import type { AssistantDefinition } from '../src/contracts/assistant.ts';
import { compensationId } from '../src/contracts/starter.ts';
import { compensateStep } from '../src/conversation/loop.ts';
import { SUMMARY_HEADING } from '../src/conversation/summary.ts';
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
  /** Submitted once the turn waits. */
  submit?: SubmitActions;
  /** The tool whose effect cannot be undone; the history is that of the turn's compensation. */
  notUndone?: string;
}

const answer: ScriptStep = { kind: 'answer', text: 'Yes.' };
const callAdd = (callId: string) => ({ name: 'add', arguments: { a: 1, b: 2 }, callId });
const ASK_USER = { name: 'ask_user', description: 'Asks.', parameters: { type: 'object' } };
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
  actions: {
    assistant: { tools: ['add', 'approve'], clientTools: [ASK_USER] },
    script: [
      {
        kind: 'calls',
        calls: [
          callAdd('call_1'),
          { name: 'approve', arguments: {}, callId: 'call_2' },
          { name: 'ask_user', arguments: {}, callId: 'call_3' },
        ],
      },
      answer,
    ],
    submit: {
      approvals: [{ callId: 'call_2', approve: true }],
      outputs: [{ callId: 'call_3', output: 'Yes.' }],
    },
  },
  compensation: {
    assistant: { tools: ['book', 'insist'] },
    script: [
      ...['book', 'insist', 'book'].map((name, index): ScriptStep => {
        return { kind: 'calls', calls: [{ name, arguments: {}, callId: `call_${name}_${index}` }] };
      }),
      refusal,
    ],
    notUndone: 'call_insist_1',
  },
};

/** The history of each shape, by the shape's name. */
function recordings(stage: Stage): Map<string, () => Promise<string>> {
  const of = (workflowId: Promise<string>) =>
    workflowId.then((id) => exportHistory(stage.temporal, id));
  return new Map([
    ['ingestion', () => of(runIngestion(stage))],
    ['summary', () => of(runSummary(stage))],
    ...Object.entries(RECORDINGS).map(
      ([name, recording]) => [name, () => of(runTurn(stage, recording))] as const,
    ),
  ]);
}

async function runIngestion({ turnkeeper }: Stage): Promise<string> {
  const content = 'Ladders are kept in the shed. Ask for the key at the desk.';
  const { id } = await turnkeeper.documents.add({ base: BASE, name: 'ladders.md', content });
  const { status } = await turnkeeper.documents.whenIndexed(id, { timeoutMs: END_TIMEOUT_MS });
  if (status !== 'indexed') throw new Error(`The document is ${status}.`);
  return `ingest:${id}`;
}

/** Of two calls, for the items of the first turn that the second has no room for are too many for one. */
async function runSummary({ turnkeeper, offline }: Stage): Promise<string> {
  const definition = { name: 'Clerk', model: 'small', context: { maxTokens: 1_000 } };
  const { id: assistantId } = await turnkeeper.assistants.create(definition);
  const { id: conversationId } = await turnkeeper.conversations.create();
  const summaries = { when: { inputContains: SUMMARY_HEADING }, times: 2 };
  const script: ScriptStep[] = [
    { ...answer, ...summaries },
    { ...answer, times: 2 },
  ];
  await offline.script(script);
  const message = { role: 'user', content: '梯子在哪里？'.repeat(72) } as const;
  for (const input of [[message, message, message], 'Where are the ladders?']) {
    const { id } = await turnkeeper.turns.start({ conversationId, assistantId, input });
    await turnkeeper.turns.result(id, { timeoutMs: END_TIMEOUT_MS });
  }
  while ((await offline.state()).stepsLeft > 0) await new Promise((next) => setTimeout(next, 20));
  return `summary:${conversationId}`;
}

async function runTurn(stage: Stage, recording: Recording): Promise<string> {
  const { turnkeeper, offline } = stage;
  const { assistant, script, cancel, submit, notUndone } = recording;
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
  if (submit) {
    await untilAsleep(stage, id);
    await turnkeeper.turns.submit(id, submit);
  }
  const { status } = await turnkeeper.turns.result(id, { timeoutMs: END_TIMEOUT_MS });
  const { stepsLeft, exhausted } = await offline.state();
  if (stepsLeft + exhausted > 0) throw new Error(`The model was not asked as planned: ${status}.`);
  if (notUndone === undefined) return id;
  await leaveOneAttempt(stage, id, notUndone);
  return compensationId(id);
}

/** Until the turn has begun to wait, with a timer. */
async function untilAsleep({ temporal }: Stage, id: string): Promise<void> {
  for (;;) {
    const { events } = await temporal.workflow.getHandle(id).fetchHistory();
    if (events?.some((event) => event.timerStartedEventAttributes)) return;
    await new Promise((next) => setTimeout(next, 20));
  }
}

/** As when nine attempts have failed. */
async function leaveOneAttempt({ sql }: Stage, turnId: string, callId: string): Promise<void> {
  for (;;) {
    const failedOnce = await sql(
      `UPDATE turnkeeper.steps SET attempts = 9
       WHERE turn_id = $1 AND key = $2 AND status = 'open' AND attempts > 0 RETURNING 1`,
      [turnId, compensateStep(callId)],
    );
    if (failedOnce.length > 0) return;
    await new Promise((next) => setTimeout(next, 20));
  }
}

/** Answers the names of the shapes that were missing and are there now. */
async function recordMissing(directory: string): Promise<string[]> {
  const stage = await openStage(TOOLS);
  const recorded: string[] = [];
  try {
    for (const [name, record] of recordings(stage)) {
      const file = join(directory, `${name}.json`);
      if (existsSync(file)) continue;
      await writeFile(file, await record());
      recorded.push(name);
    }
    return recorded;
  } finally {
    await stage.close();
  }
}

const { values } = parseArgs({ options: { force: { type: 'boolean', default: false } } });
const manifest = await readFile(join(ROOT, 'package.json'), 'utf8');
const { version } = JSON.parse(manifest) as { version: string };
const directory = join(ROOT, `test/replay/histories/v${version}`);
if (values.force) await rm(directory, { recursive: true, force: true });
await mkdir(directory, { recursive: true });
console.log(`Added to ${directory}: ${(await recordMissing(directory)).join(', ') || 'nothing'}.`);
