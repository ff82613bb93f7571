import { createInterface } from 'node:readline';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import type { StartTurn } from '../../src/client/start-turn.ts';
import type { TurnResult } from '../../src/client/turn-result.ts';
import type { AssistantDefinition } from '../../src/contracts/assistant.ts';
import type { Item, JsonObject } from '../../src/contracts/json.ts';
import type { Step, TurnEvent } from '../../src/contracts/store.ts';
import type { JournalEntry } from '../../src/dev/offline-model/journal.ts';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { hasPart, requirePart } from './require-part.ts';
import { openWorld, type TestWorker, type World, type WorldEnvironment } from './world.ts';

/** A world with one worker, for all tests of a file. */
export interface TestWorld {
  readonly current: World;
  /** What the worker has written to standard error, as lines of JSON. */
  readonly log: JsonObject[];
  readonly worker: TestWorker;
}

export function useWorld(extra?: WorldEnvironment): TestWorld {
  const opened: { world?: World; worker?: TestWorker } = {};
  const log: JsonObject[] = [];
  beforeAll(async () => {
    if (!hasPart('temporal') || !hasPart('postgres')) return;
    opened.world = await openWorld(extra);
    opened.worker = await opened.world.startWorker();
    createInterface({ input: opened.worker.stderr }).on('line', (line) => log.push(readLine(line)));
  });
  afterAll(() => opened.world?.close());
  beforeEach((context) => {
    requirePart(context, 'temporal');
    requirePart(context, 'postgres');
  });
  const required = <T>(part: T | undefined): T => {
    if (part === undefined) throw new Error('The world is open only while tests run.');
    return part;
  };
  return {
    get current() {
      return required(opened.world);
    },
    get worker() {
      return required(opened.worker);
    },
    log,
  };
}

function readLine(line: string): JsonObject {
  try {
    return JSON.parse(line) as JsonObject;
  } catch {
    return { unreadable: line };
  }
}

export interface TurnSetup {
  assistant?: Partial<AssistantDefinition>;
  /** What the model does, in order; without it, what it was told before. */
  script?: ScriptStep[];
  input?: StartTurn['input'];
  /** The turn goes into this conversation, and not into one of its own. */
  conversationId?: string;
  endUser?: string;
}

export interface StartedTurn {
  id: string;
  conversationId: string;
}

export async function startTurn(world: World, setup: TurnSetup): Promise<StartedTurn> {
  const { turnkeeper, offline } = world;
  const { assistant, script, input = 'Hello', endUser } = setup;
  const { id: assistantId } = await turnkeeper.assistants.create({
    name: 'A',
    model: 'm',
    ...assistant,
  });
  const conversationId = setup.conversationId ?? (await newConversation(world, endUser));
  if (script) await offline.script(script);
  const { id } = await turnkeeper.turns.start({ conversationId, assistantId, input });
  return { id, conversationId };
}

async function newConversation(
  { turnkeeper }: World,
  endUser: string | undefined,
): Promise<string> {
  const { id } = await turnkeeper.conversations.create(endUser === undefined ? {} : { endUser });
  return id;
}

export interface EndedTurn extends StartedTurn, Omit<TurnResult, 'turn'> {
  message: string | null;
  steps: Step[];
  events: TurnEvent[];
  /** Bodies of the model calls. */
  requests: JsonObject[];
}

/** Runs a turn to its end, and checks that the model was asked neither more nor less than the script says. */
export async function runTurn(world: World, setup: TurnSetup): Promise<EndedTurn> {
  const started = await startTurn(world, setup);
  const ended = await endOf(world, started);
  expect(await world.offline.state()).toMatchObject({ stepsLeft: 0, exhausted: 0 });
  return ended;
}

export async function endOf(world: World, { id, conversationId }: StartedTurn): Promise<EndedTurn> {
  const { turns } = world.turnkeeper;
  const { turn, ...result } = await turns.result(id, { timeoutMs: 30_000 });
  const steps = await turns.steps(id);
  const events = await eventsOf(world, id);
  const requests = (await createsOf(world)).map(({ body }) => body as JsonObject);
  return { id, conversationId, ...result, message: turn.message, steps, events, requests };
}

export async function eventsOf({ turnkeeper }: World, turnId: string): Promise<TurnEvent[]> {
  const events: TurnEvent[] = [];
  for await (const event of turnkeeper.turns.events(turnId)) events.push(event);
  return events;
}

/** The model calls since the script was set. */
export async function createsOf({ offline }: World): Promise<JournalEntry[]> {
  const journal = await offline.journal();
  return journal.filter(({ method, path }) => method === 'POST' && path === '/v1/responses');
}

export async function itemsOf({ turnkeeper }: World, conversationId: string): Promise<Item[]> {
  const { data } = await turnkeeper.conversations.items(conversationId, { limit: 100 });
  return data.map(({ item }) => item);
}

/** What a reader that follows the protocol shows in the end: deltas, but for those that were rewound. */
export function shownText(events: TurnEvent[]): string {
  const shown: TurnEvent[] = [];
  for (const entry of events) {
    const { type, to } = entry.event;
    if (type === 'turn.rewind') {
      while ((shown.at(-1)?.number ?? 0) > Number(to)) shown.pop();
    } else if (type === 'response.output_text.delta') shown.push(entry);
  }
  return shown.map(({ event }) => String(event['delta'])).join('');
}

export function eventTypes(events: TurnEvent[]): string[] {
  return events.map(({ event }) => event.type);
}

/** Outputs that a model request carries, in its order, as call id and what the model reads. */
export function toolOutputs(items: JsonObject[]): [callId: string, output: string][] {
  return items
    .filter(({ type }) => type === 'function_call_output')
    .map((item) => [String(item['call_id']), String(item['output'])]);
}

export function inputOf(request: JsonObject | undefined): JsonObject[] {
  return (request?.['input'] ?? []) as JsonObject[];
}
