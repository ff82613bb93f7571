import type OpenAI from 'openai';
import type { JsonObject } from '../../contracts/json.ts';
import { ApiError } from './api-error.ts';
import { newId } from './ids.ts';
import { objects } from './request.ts';
import type { ScriptedCall, ScriptedUsage, ScriptStep } from './script.ts';
import type { OutputItem, ScriptedEvent } from './wire.ts';

/** What is going to happen to one request. */
export type Plan =
  | OutputPlan
  | { kind: 'error'; error: ApiError }
  | { kind: 'bytes'; chunks: Buffer[] }
  | { kind: 'silence'; headers: boolean };

export interface OutputPlan {
  kind: 'output';
  items: OutputItem[];
  ending: Ending;
  /** Milliseconds before each delta. */
  delayMs: number;
  chunks: number | null;
  interrupt: { kind: 'cut' | 'hold'; afterDeltas: number } | null;
  /** Sent before the first item. */
  prelude: ScriptedEvent[];
  usage: ScriptedUsage;
  /** Of a background response, milliseconds. */
  streamableMs: number;
  keptMs: number;
}

/** As OpenAI documents them. */
const RETENTION = { streamableMs: 300_000, keptMs: 600_000 };

type Ending =
  | { status: 'completed' }
  | { status: 'incomplete'; reason: 'max_output_tokens' | 'content_filter' }
  | { status: 'failed'; code: string; message: string };

export function planStep(step: ScriptStep): Plan {
  switch (step.kind) {
    case 'error':
      return { kind: 'error', error: scriptedError(step) };
    case 'raw':
      return { kind: 'bytes', chunks: step.lines.map((line) => Buffer.from(line, 'base64')) };
    case 'hang':
      return { kind: 'silence', headers: step.beforeHeaders !== true };
    default:
      return { ...outputPlan(stepItems(step), step.delayMs ?? 0), ...stepOutcome(step) };
  }
}

/** Items sent whole, with nothing in between. */
export function outputPlan(items: OutputItem[], delayMs: number): OutputPlan {
  return {
    kind: 'output',
    items,
    ending: { status: 'completed' },
    delayMs,
    chunks: null,
    interrupt: null,
    prelude: [],
    usage: {},
    ...RETENTION,
  };
}

export function messageItem(
  text: string,
  status: 'completed' | 'incomplete' = 'completed',
): OpenAI.Responses.ResponseOutputMessage {
  return {
    id: newId('msg'),
    type: 'message',
    role: 'assistant',
    status,
    content: [{ type: 'output_text', text, annotations: [], logprobs: [] }],
  };
}

export function callItem(call: ScriptedCall): OpenAI.Responses.ResponseFunctionToolCallItem {
  const args = call.arguments;
  return {
    id: newId('fc'),
    type: 'function_call',
    status: 'completed',
    name: call.name,
    arguments: typeof args === 'string' ? args : JSON.stringify(args),
    call_id: call.callId ?? newId('call'),
  };
}

type OutputStep = Exclude<ScriptStep, { kind: 'error' | 'raw' | 'hang' }>;

function stepItems(step: OutputStep): OutputItem[] {
  switch (step.kind) {
    case 'calls':
      return [...textItems(step.text), ...step.calls.map(callItem)];
    case 'items':
      return step.items.map(withId);
    case 'incomplete':
      return [messageItem(step.text, 'incomplete')];
    default:
      return textItems(step.text);
  }
}

function textItems(text: string | undefined): OutputItem[] {
  return text === undefined ? [] : [messageItem(text)];
}

const ID_PREFIX: Record<string, string> = { message: 'msg', function_call: 'fc', reasoning: 'rs' };

function withId(item: JsonObject & { type: string }): OutputItem {
  const prefix = ID_PREFIX[item.type] ?? item.type;
  return { id: newId(prefix), ...item, ...withAnnotations(item) } as unknown as OutputItem;
}

/** Annotations may be left out in a script; on the wire they never are. */
function withAnnotations(item: JsonObject): JsonObject {
  if (item['type'] !== 'message') return {};
  return {
    content: objects(item['content']).map((part) =>
      part['type'] === 'output_text' ? { annotations: [], ...part } : part,
    ),
  };
}

function stepOutcome(step: OutputStep): Partial<OutputPlan> {
  const { streamableMs = RETENTION.streamableMs, keptMs = RETENTION.keptMs } = step;
  const pace = { chunks: step.chunks ?? null, usage: step.usage ?? {}, streamableMs, keptMs };
  switch (step.kind) {
    case 'cut':
    case 'hold':
      return { ...pace, interrupt: { kind: step.kind, afterDeltas: step.afterDeltas } };
    case 'incomplete':
      return { ...pace, ending: { status: 'incomplete', reason: step.reason } };
    case 'failed': {
      const message = step.message ?? 'The scripted failure of a response.';
      return { ...pace, ending: { status: 'failed', code: step.code, message } };
    }
    case 'unknownEvent':
      return { ...pace, prelude: [step.event] };
    default:
      return pace;
  }
}

function scriptedError(step: Extract<ScriptStep, { kind: 'error' }>): ApiError {
  return new ApiError(step.status, step.message ?? 'The scripted error of a request.', {
    type: step.type ?? (step.status >= 500 ? 'server_error' : 'invalid_request_error'),
    code: step.code ?? null,
    headers: step.headers ?? {},
  });
}
