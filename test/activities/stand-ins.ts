import { ActivityCancellationDetails } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { vi } from 'vitest';
import type { ActivityDependencies } from '../../src/activities/dependencies.ts';
import type { AssistantDefinition } from '../../src/contracts/assistant.ts';
import type { Item, JsonObject } from '../../src/contracts/json.ts';
import type { Model, ModelEvent } from '../../src/contracts/model.ts';
import type {
  Appender,
  BegunStep,
  NewEvent,
  Store,
  StepStore,
  ToolCall,
  Turn,
  TurnContext,
  TurnState,
} from '../../src/contracts/store.ts';
import type { ToolDefinition } from '../../src/contracts/tools.ts';
import { createTools } from '../../src/tools/registry.ts';

export const TURN = { tenant: 'default', turnId: 'turn-1' };

export const question = (text: string): Item => ({
  type: 'message',
  role: 'user',
  content: [{ type: 'input_text', text }],
});

export function toolCall(callId: string): ToolCall {
  return {
    conversationId: 'conversation-1',
    endUser: 'user-7',
    item: { type: 'function_call', call_id: callId, name: 'tool', arguments: '{}' },
    editedArguments: null,
    clientTools: [],
  };
}

/** A step store that lets everything happen; each method can be given another behaviour. */
export function stepStore(begun: BegunStep = { state: 'open', earlierAttempts: 0 }) {
  return {
    begin: vi.fn<StepStore['begin']>(async () => begun),
    loadContext: vi.fn<StepStore['loadContext']>(async () => context()),
    claim: vi.fn<StepStore['claim']>(async ({ callId }) => ({ begun, call: toolCall(callId) })),
    recordIntent: vi.fn<StepStore['recordIntent']>(async () => ({
      callId: 'call',
      failedCalls: 0,
      abandonedCalls: 0,
      orphans: 0,
    })),
    recordFailedCall: vi.fn<StepStore['recordFailedCall']>(async () => undefined),
    settleRetrieval: vi.fn<StepStore['settleRetrieval']>(async (_ref, { length }) => length),
    settleResponse: vi.fn<StepStore['settleResponse']>(async () => undefined),
    settleTool: vi.fn<StepStore['settleTool']>(async () => undefined),
    settleFailure: vi.fn<StepStore['settleFailure']>(async () => undefined),
  };
}

/** Turns of which the one there is is in that state. */
export function turnsIn(state: TurnState) {
  return { get: vi.fn<Store['turns']['get']>(async () => ({ state }) as Turn) };
}

export function context(
  definition: Partial<AssistantDefinition> = {},
  more: Partial<TurnContext> = {},
): TurnContext {
  const item = question('Where are the ladders?');
  const createdAt = new Date(0);
  return {
    conversationId: 'conversation-1',
    endUser: null,
    ageMs: 0,
    definition: { name: 'A', model: 'small', ...definition },
    summary: null,
    summaryWanted: 0,
    items: [{ position: 1, turnId: TURN.turnId, item, createdAt }],
    passages: [],
    usedTokens: 0,
    ...more,
  };
}

/** Keeps what was appended; `lose` takes the step away from the attempt. */
export function appender() {
  const appended: NewEvent[] = [];
  const losing = new AbortController();
  return {
    appended,
    lose: (reason: Error) => losing.abort(reason),
    resume: vi.fn<Appender['resume']>(() => undefined),
    append: vi.fn<Appender['append']>((_ref, event) => {
      losing.signal.throwIfAborted();
      appended.push(event);
    }),
    take: vi.fn<Appender['take']>(async () => []),
    flush: vi.fn<Appender['flush']>(async () => undefined),
    release: vi.fn<Appender['release']>(() => undefined),
    lost: () => losing.signal,
    close: async () => undefined,
  };
}

export const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

export interface Parts {
  steps?: ReturnType<typeof stepStore>;
  turns?: ReturnType<typeof turnsIn>;
  appender?: ReturnType<typeof appender>;
  tools?: ToolDefinition[];
  model?: Model;
}

/** Ports of an activity; those that a test does not give are not there. */
export function ports(
  parts: Parts & Partial<Omit<ActivityDependencies, keyof Parts>>,
): ActivityDependencies {
  const { steps = stepStore(), turns = turnsIn('started'), ...rest } = parts;
  const { tools = [], appender: events = appender(), ...others } = rest;
  const store = { steps, turns } as unknown as Store;
  const given = { store, logger: silent, index: null, embedder: null, ...others };
  return {
    ...given,
    appender: events,
    tools: createTools(tools),
  } as unknown as ActivityDependencies;
}

/** A model that says these events; it notes its requests and whether it was told to stop. */
export function modelOf(say: (signal: AbortSignal) => AsyncIterable<ModelEvent>) {
  return {
    stream: vi.fn<Model['stream']>(async (_request, { signal }) => ({
      requestId: 'req_1',
      events: say(signal),
    })),
    resume: vi.fn<Model['resume']>(async (_response, { signal }) => ({
      requestId: 'req_2',
      events: say(signal),
    })),
    poll: vi.fn<Model['poll']>(async () => null),
    cancel: vi.fn<Model['cancel']>(async () => null),
  };
}

export function completed(output: Item[]): ModelEvent {
  const response = { id: 'resp_1', status: 'completed', model: 'small', output } as JsonObject;
  return { type: 'response.completed', response };
}

const ATTEMPT = { scheduleToCloseTimeoutMs: 60_000, startToCloseTimeoutMs: 60_000 };

/** The surroundings of one attempt, which began now and has a minute. */
export function attemptOf(
  info: { attempt?: number; scheduledTimestampMs?: number; scheduleToCloseTimeoutMs?: number } = {},
) {
  const times = { ...ATTEMPT, scheduledTimestampMs: Date.now(), ...info };
  return new MockActivityEnvironment(times, { logger: new DefaultLogger('ERROR') });
}

/** As when the worker is told to stop, and nobody has cancelled the turn. */
export function shutDown(environment: MockActivityEnvironment): void {
  const details = new ActivityCancellationDetails({ workerShutdown: true });
  environment.cancel('WORKER_SHUTDOWN', details);
}
