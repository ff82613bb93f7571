import { randomUUID } from 'node:crypto';
import { expect } from 'vitest';
import type { AssistantDefinition } from '../../src/contracts/assistant.ts';
import type { Item } from '../../src/contracts/json.ts';
import type {
  AcceptTurn,
  BegunStep,
  ClaimedCall,
  NewEvent,
  RequestKey,
  SettleResponse,
  StepRef,
  Store,
  TurnEvent,
} from '../../src/contracts/store.ts';

export const freshTenant = (): string => `tenant-${randomUUID()}`;

export const CLERK: AssistantDefinition = { name: 'Clerk', model: 'small' };

export const QUESTION: Item = { type: 'message', role: 'user', content: 'Where is my parcel?' };

export const keyOf = (key: string, requestHash = 'one'): RequestKey => ({ key, requestHash });

export interface Place {
  tenant: string;
  assistantId: string;
  conversationId: string;
}

/** A conversation and an assistant to talk to, of a tenant of their own unless one is named. */
export async function newPlace(store: Store, tenant = freshTenant()): Promise<Place> {
  const assistant = await store.assistants.create(tenant, CLERK);
  const conversation = await store.conversations.create(tenant, { endUser: null, metadata: {} });
  return { tenant, assistantId: assistant.id, conversationId: conversation.id };
}

export interface TurnAt extends Place {
  turnId: string;
}

export async function newTurn(
  store: Store,
  place?: Place,
  more: Partial<AcceptTurn> = {},
): Promise<TurnAt> {
  const at = place ?? (await newPlace(store));
  const { tenant, conversationId, assistantId } = at;
  const accepted = await store.turns.accept(tenant, {
    conversationId,
    assistantId,
    items: [QUESTION],
    ...more,
  });
  if (accepted.kind !== 'accepted') throw new Error(`The turn was not accepted: ${accepted.kind}.`);
  return { ...at, turnId: accepted.turn.id };
}

export const RESPOND = 'respond:1';

/** Attempt `n` of a step; a later one has the higher fence. */
export function attemptOf({ tenant, turnId }: TurnAt, step = RESPOND, n = 1): StepRef {
  return { tenant, turnId, step, fence: { scheduledMs: 1_000 * n, attempt: n } };
}

export function beginRespond(store: Store, ref: StepRef, after: string[] = []): Promise<BegunStep> {
  return store.steps.begin({ ...ref, after, kind: 'respond', model: 'small', follows: null });
}

export async function beginTool(...claim: Parameters<typeof claimTool>): Promise<BegunStep> {
  return (await claimTool(...claim)).begun;
}

export function claimTool(
  store: Store,
  ref: StepRef,
  callId: string,
  compensable = false,
  compensateUnknown = false,
): Promise<ClaimedCall> {
  const call = { callId, name: 'lookup', policy: 'at-most-once', timeoutMs: 5_000 } as const;
  const undo = { compensable, compensateUnknown };
  return store.steps.claim({ ...ref, after: [RESPOND], kind: 'tool', ...call, ...undo });
}

export const callItem = (callId: string): Item => ({
  type: 'function_call',
  call_id: callId,
  name: 'lookup',
  arguments: '{}',
});

export const answer = (text: string): Item => ({
  type: 'message',
  role: 'assistant',
  content: [{ type: 'output_text', text }],
});

export function response(
  items: Item[] = [answer('It is on its way.')],
  more: Partial<SettleResponse> = {},
): SettleResponse {
  return {
    items,
    reply: { kind: 'answer' },
    toolDefinitions: [],
    events: [],
    usage: null,
    summarize: null,
    ...more,
  };
}

/** A turn whose first model call asked for tools. */
export async function turnWithCalls(store: Store, ...callIds: string[]): Promise<TurnAt> {
  return callTools(store, await newTurn(store), callIds);
}

async function callTools(store: Store, turn: TurnAt, callIds: string[]): Promise<TurnAt> {
  const ref = attemptOf(turn);
  await beginRespond(store, ref);
  await store.steps.settleResponse(ref, response(callIds.map(callItem)));
  return turn;
}

export const toolStep = (turn: TurnAt, callId: string, n = 1): StepRef =>
  attemptOf(turn, `tool:${callId}`, n);

/** The result of a tool call as `settleTool` takes it. */
export const toolResult = (callId: string, output = `result of ${callId}`) =>
  ({
    callId,
    name: 'lookup',
    outcome: 'succeeded',
    output,
    error: null,
    effect: { returned: output },
  }) as const;

export const FAILED = { status: 'failed', reason: 'server_error', message: 'Gone.' } as const;

/** A turn that failed after these calls, each of which had an effect that can be undone, in this order. */
export async function failedTurn(store: Store, ...callIds: string[]): Promise<TurnAt> {
  return failAfter(store, await newTurn(store), callIds);
}

export async function failAfter(store: Store, turn: TurnAt, callIds: string[]): Promise<TurnAt> {
  await callTools(store, turn, callIds);
  for (const callId of callIds) {
    await beginTool(store, toolStep(turn, callId), callId, true);
    await store.steps.settleTool(toolStep(turn, callId), toolResult(callId));
  }
  await store.turns.seal(turn.tenant, turn.turnId, FAILED);
  return turn;
}

export const compensateStep = (turn: TurnAt, callId: string, n = 1): StepRef =>
  attemptOf(turn, `compensate:${callId}`, n);

export function beginCompensation(store: Store, ref: StepRef, after: string[] = []) {
  const callId = ref.step.replace('compensate:', '');
  return store.compensations.begin({ ...ref, after, callId });
}

export const usageOf = (callId: string, inputTokens: number, outputTokens: number) => ({
  callId,
  call: {
    responseId: 'resp_1',
    requestId: 'req_1',
    model: 'small-2026',
    inputTokens,
    cachedTokens: 2,
    outputTokens,
    reasoningTokens: 1,
  },
});

export const delta = (text: string, message = 'msg_1'): NewEvent => ({
  type: 'response.output_text.delta',
  item_id: message,
  delta: text,
});

export function appendOne(store: Store, ref: StepRef, position: number, ...texts: string[]) {
  return store.events.append([{ ref, position, events: texts.map((text) => delta(text)) }]);
}

export async function readEvents(
  store: Store,
  { tenant, turnId }: TurnAt,
  after = 0,
): Promise<TurnEvent[]> {
  return (await store.events.read(tenant, turnId, { after, limit: 10_000 })).events;
}

/** Types of a turn's events; deltas by their text. Without what it tells of its steps. */
export async function stream(store: Store, turn: TurnAt): Promise<unknown[]> {
  const events = await readEvents(store, turn);
  return events
    .filter(({ event }) => event.type !== 'turn.step')
    .map(({ event }) => event['delta'] ?? event.type);
}

/** The same with its steps, as `respond:1 started`. */
export async function story(store: Store, turn: TurnAt): Promise<unknown[]> {
  const events = await readEvents(store, turn);
  return events.map(({ event: { type, step, status, delta } }) =>
    type === 'turn.step' ? `${String(step)} ${String(status)}` : (delta ?? type),
  );
}

export async function itemsOf(store: Store, { tenant, conversationId }: Place): Promise<Item[]> {
  const page = await store.conversations.items(tenant, conversationId, {}, { limit: 100 });
  return page.data.map(({ item }) => item);
}

/** Outputs of a turn's tool calls in the order of the conversation. */
export async function outputsOf(store: Store, turn: TurnAt): Promise<[unknown, unknown][]> {
  const items = await itemsOf(store, turn);
  return items
    .filter(({ type }) => type === 'function_call_output')
    .map((item) => [item['call_id'], item['output']]);
}

export const refusal = (reason: unknown) =>
  expect.objectContaining({ name: 'StepRefused', reason }) as unknown;

export const failure = (code: string) =>
  expect.objectContaining({ name: 'TurnkeeperError', code }) as unknown;

export const UNAVAILABLE = expect.objectContaining({ name: 'StoreUnavailable' }) as unknown;

/** For what comes about in other processes; a busy machine takes its time. */
export const PATIENCE = { timeout: 20_000, interval: 10 };
