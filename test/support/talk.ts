import { expect, vi } from 'vitest';
import type { CreateAssistant } from '../../src/client/assistants.ts';
import type { TurnResult } from '../../src/client/turn-result.ts';
import type { JsonObject } from '../../src/contracts/json.ts';
import type { Turn } from '../../src/contracts/store.ts';
import type { JournalEntry } from '../../src/dev/offline-model/journal.ts';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import type { Effect } from './effects.ts';
import type { World } from './world.ts';

/** A conversation and the assistant that answers in it. */
export interface Talk {
  conversationId: string;
  assistantId: string;
}

/** What the provider says that a call has cost: other numbers than anybody would estimate. */
export const REAL_USAGE = { inputTokens: 4_321, outputTokens: 1_234 };

/** For `vi.waitFor`: a loaded machine takes its time. */
export const SOON = { timeout: 60_000, interval: 50 };

const RESULT_TIMEOUT_MS = 120_000;

export async function newTalk(
  { turnkeeper }: World,
  assistant: Partial<CreateAssistant> = {},
): Promise<Talk> {
  const { id: assistantId } = await turnkeeper.assistants.create({
    name: 'Tester',
    model: 'test-model',
    ...assistant,
  });
  const { id: conversationId } = await turnkeeper.conversations.create({});
  return { conversationId, assistantId };
}

export function say({ turnkeeper }: World, talk: Talk, input = 'Go on.'): Promise<Turn> {
  return turnkeeper.turns.start({ ...talk, input });
}

export function resultOf({ turnkeeper }: World, { id }: Turn): Promise<TurnResult> {
  return turnkeeper.turns.result(id, { timeoutMs: RESULT_TIMEOUT_MS });
}

export function answer(text: string): ScriptStep {
  return { kind: 'answer', text, usage: REAL_USAGE };
}

/** Stops after two deltas until the model is told to release. */
export function heldAnswer(text: string): ScriptStep {
  return { kind: 'hold', text, afterDeltas: 2, usage: REAL_USAGE };
}

export function callOf(...names: string[]): ScriptStep {
  const calls = names.map((name) => ({ name, arguments: {}, callId: `call_${name}` }));
  return { kind: 'calls', calls, usage: REAL_USAGE };
}

/** Waits until an event of that type is in the turn's stream. */
export async function untilStreamed({ sql }: World, { id }: Turn, type: string): Promise<void> {
  await vi.waitFor(async () => {
    const events = await sql(
      `SELECT 1 FROM turnkeeper.events WHERE turn_id = $1 AND event ->> 'type' = $2`,
      [id, type],
    );
    expect(events).not.toHaveLength(0);
  }, SOON);
}

/** Waits until readers have seen text that was not taken back. */
export async function untilShown({ sql }: World, { id }: Turn): Promise<void> {
  await vi.waitFor(async () => {
    const deltas = await sql(
      `SELECT 1 FROM turnkeeper.events
       WHERE turn_id = $1 AND event ->> 'type' = 'response.output_text.delta' AND seq > (
         SELECT coalesce(max(seq), 0) FROM turnkeeper.events
         WHERE turn_id = $1 AND event ->> 'type' = 'turn.rewind')`,
      [id],
    );
    expect(deltas).not.toHaveLength(0);
  }, SOON);
}

/** Requests for a response, in order. */
export async function createsOf({ offline }: World): Promise<JournalEntry[]> {
  const entries = await offline.journal();
  return entries.filter(({ method, path }) => method === 'POST' && path === '/v1/responses');
}

/** Those among them whose input holds that text. */
export async function requestsOf(world: World, text: string): Promise<JournalEntry[]> {
  const creates = await createsOf(world);
  return creates.filter(({ body }) => {
    const { input } = body as JsonObject;
    return JSON.stringify(input).includes(text);
  });
}

/** What the tools of one turn did, in order. */
export function effectsOf(world: World, { id }: Pick<Turn, 'id'>): Effect[] {
  return world.effects().filter(({ key }) => key.startsWith(`${id}:`));
}

/** The conversation is free: it takes another turn, and the model is sent a history that it accepts. */
export async function expectNextTurn(world: World, talk: Talk): Promise<void> {
  await world.offline.script([answer('And on it goes.')]);
  const result = await resultOf(world, await say(world, talk));
  expect(result).toMatchObject({ status: 'completed', answer: 'And on it goes.' });
  expect(await createsOf(world)).toHaveLength(1);
}

/** How Temporal says that the turn's workflow has closed, once it has. */
export async function closedAs({ temporal }: World, { id }: Turn): Promise<string> {
  const handle = temporal.workflow.getHandle(id);
  await handle.result().catch(() => undefined);
  return (await handle.describe()).status.name;
}
