import { expect } from 'vitest';
import { createClient, type Turnkeeper } from '../../src/client/client.ts';
import type { ErrorCode } from '../../src/contracts/errors.ts';
import type { Item, JsonObject } from '../../src/contracts/json.ts';
import type { Logger } from '../../src/contracts/logger.ts';
import type { Store, StepRef, Turn } from '../../src/contracts/store.ts';
import { DEFAULT_LIMITS, type Limits } from '../../src/conversation/limits.ts';
import { openStore } from '../../src/store/postgres.ts';
import { startTestPglite } from '../support/pglite.ts';
import { openPool } from '../support/pool.ts';
import { RecordingStarter } from './recording-starter.ts';

export interface LogLine {
  level: 'info' | 'warn' | 'error';
  message: string;
  fields: JsonObject;
}

/** The real store on PGlite with a stand-in for Temporal. */
export interface World {
  store: Store;
  logger: Logger;
  logs: LogLine[];
  sql(text: string, params?: unknown[]): Promise<void>;
  /** A client with a stand-in of its own for Temporal. */
  client(options?: ClientFor): { client: Turnkeeper; starter: RecordingStarter };
  stop(): Promise<void>;
}

export interface ClientFor {
  tenant?: string;
  limits?: Partial<Limits>;
  store?: Store;
}

export async function startWorld(): Promise<World> {
  const database = await startTestPglite();
  const store = await openStore({ connectionString: database.url, poolSize: 4 });
  const pool = openPool(database.url, 1);
  const logs: LogLine[] = [];
  const logger = loggerInto(logs);
  return {
    store,
    logger,
    logs,
    sql: async (text, params) => {
      await pool.query(text, params);
    },
    client: ({ tenant = 'default', limits = {}, store: other = store } = {}) => {
      const starter = new RecordingStarter();
      const close = () => Promise.resolve();
      const parts = { store: other, starter, logger, close, tenant };
      const client = createClient({ ...parts, limits: { ...DEFAULT_LIMITS, ...limits } });
      return { client, starter };
    },
    stop: async () => {
      await pool.end();
      await store.close();
      await database.stop();
    },
  };
}

function loggerInto(logs: LogLine[]): Logger {
  const at =
    (level: LogLine['level']) =>
    (message: string, fields: JsonObject = {}) =>
      void logs.push({ level, message, fields });
  return { info: at('info'), warn: at('warn'), error: at('error') };
}

export interface Talk {
  assistantId: string;
  conversationId: string;
}

/** An assistant and an empty conversation. */
export async function newTalk(client: Turnkeeper): Promise<Talk> {
  const assistant = await client.assistants.create({ name: 'Helper', model: 'test-model' });
  const conversation = await client.conversations.create();
  return { assistantId: assistant.id, conversationId: conversation.id };
}

/** Does what a worker does for a turn that is answered at once. */
export async function answer(store: Store, turn: Turn, items: Item[]): Promise<void> {
  const ref = await beginRespond(store, turn);
  await store.steps.settleResponse(ref, {
    items,
    reply: { kind: 'answer' },
    toolDefinitions: [],
    events: [{ type: 'response.output_text.delta', delta: 'Hi' }],
    usage: null,
    summarize: null,
  });
  await store.turns.seal('default', turn.id, { status: 'completed' });
}

export async function beginRespond(store: Store, turn: Turn): Promise<StepRef> {
  const fence = { scheduledMs: 1, attempt: 1 };
  const ref = { tenant: 'default', turnId: turn.id, step: 'respond:1', fence };
  await store.steps.begin({ ...ref, after: [], kind: 'respond', model: 'm', follows: null });
  return ref;
}

/** Does what a worker does for a turn that calls `book`, which can be undone, as call `a`. */
export async function callTool(store: Store, turn: Turn): Promise<void> {
  const ref = await beginRespond(store, turn);
  const item = { type: 'function_call', call_id: 'a', name: 'book', arguments: '{}' };
  await store.steps.settleResponse(ref, {
    items: [item],
    reply: { kind: 'calls', calls: [] },
    toolDefinitions: [],
    events: [],
    usage: null,
    summarize: null,
  });
  const step = { ...ref, step: 'tool:a' };
  const call = { callId: 'a', name: 'book', policy: 'idempotent', timeoutMs: 1_000 } as const;
  const undo = { compensable: true, compensateUnknown: false };
  await store.steps.claim({ ...step, after: [ref.step], kind: 'tool', ...call, ...undo });
  const booked = {
    outcome: 'succeeded',
    output: '7',
    error: null,
    effect: { returned: 7 },
  } as const;
  await store.steps.settleTool(step, { callId: 'a', name: 'book', ...booked });
}

export function assistantMessage(...texts: string[]): Item {
  const content = texts.map((text) => ({ type: 'output_text', text, annotations: [] }));
  return { type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content };
}

/** Expects a typed error whose message tells `message`. */
export async function expectRefused(
  work: Promise<unknown>,
  code: ErrorCode,
  message: RegExp,
): Promise<void> {
  await expect(work).rejects.toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) as string }) as Error,
  );
}
