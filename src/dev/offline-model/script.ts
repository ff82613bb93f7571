import type { Json, JsonObject } from '../../contracts/json.ts';
import { badRequest } from './api-error.ts';
import { isObject } from '../../conversation/items.ts';
import type { CreateRequest } from './request.ts';
import type { ScriptedEvent } from './wire.ts';

/** Which request a step is for; without it, the next one. */
type StepMatch = { model: string } | { inputContains: string };

interface Selection {
  when?: StepMatch;
  /** Requests it answers, 1 by default. */
  times?: number;
}

interface Pace {
  /** Deltas a text is cut into; one per word by default. */
  chunks?: number;
  /** Before each delta, milliseconds; 0 by default. */
  delayMs?: number;
  /** Replaces what would be counted; a background response that is cancelled counts nothing else. */
  usage?: ScriptedUsage;
  /** From its creation on, how long a background response can be streamed once more (then 400); 5 minutes by default. */
  streamableMs?: number;
  /** The same until it is forgotten (404); 10 minutes by default. */
  keptMs?: number;
}

export interface ScriptedUsage {
  inputTokens?: number;
  cachedTokens?: number;
  outputTokens?: number;
  reasoningTokens?: number;
}

export interface ScriptedCall {
  name: string;
  /** An object, or any string for arguments that are no JSON. */
  arguments: JsonObject | string;
  callId?: string;
}

type StepKind =
  | ({ kind: 'answer'; text: string } & Pace)
  /** Function calls, after a message where `text` is given. */
  | ({ kind: 'calls'; calls: ScriptedCall[]; text?: string } & Pace)
  /** Output items of any type; ids are made up where they are missing. */
  | ({ kind: 'items'; items: (JsonObject & { type: string })[] } & Pace)
  | ({ kind: 'incomplete'; reason: 'max_output_tokens' | 'content_filter'; text: string } & Pace)
  /** `response.failed`, after the deltas of `text` where it is given. */
  | ({ kind: 'failed'; code: string; message?: string; text?: string } & Pace)
  /** Destroys the connection after that many deltas; a background response goes on. */
  | ({ kind: 'cut'; text: string; afterDeltas: number } & Pace)
  /** Waits after that many deltas until released, or for ever. */
  | ({ kind: 'hold'; text: string; afterDeltas: number } & Pace)
  /** An answer with an event of any type before its text. */
  | ({ kind: 'unknownEvent'; event: ScriptedEvent; text: string } & Pace)
  /** An HTTP error instead of a response. */
  | {
      kind: 'error';
      status: number;
      code?: string;
      type?: string;
      message?: string;
      headers?: Record<string, string>;
    }
  /** Sends headers (nothing at all with `beforeHeaders`) and no event, ever. */
  | { kind: 'hang'; beforeHeaders?: boolean }
  /** These bytes, base64 and each line in a packet of its own, as the body of an event stream that then ends. */
  | { kind: 'raw'; lines: string[] };

/** One answer of the offline model, in the order requests come in. */
export type ScriptStep = Selection & StepKind;

const KINDS: Record<ScriptStep['kind'], true> = {
  answer: true,
  calls: true,
  items: true,
  incomplete: true,
  failed: true,
  cut: true,
  hold: true,
  unknownEvent: true,
  error: true,
  hang: true,
  raw: true,
};

/** Throws `ApiError` on a step of an unknown kind: a typing error must not pass as "no step left". */
export function readScript(body: Json): ScriptStep[] {
  const steps = isObject(body) ? body['steps'] : undefined;
  if (!Array.isArray(steps)) throw badRequest('A script has the form { steps: [...] }.', 'steps');
  for (const step of steps) {
    if (
      !isObject(step) ||
      typeof step['kind'] !== 'string' ||
      !Object.hasOwn(KINDS, step['kind'])
    ) {
      throw badRequest(`No such script step: ${JSON.stringify(step)}.`, 'steps');
    }
  }
  return steps as unknown as ScriptStep[];
}

/** The steps of one test, used up request by request. */
export class Script {
  readonly #steps: { step: ScriptStep; left: number }[];
  constructor(steps: ScriptStep[]) {
    this.#steps = steps.map((step) => ({ step, left: step.times ?? 1 }));
  }

  /** The first step not used up that is for this request; null when there is none. */
  take(request: CreateRequest): ScriptStep | null {
    const slot = this.#steps.find(({ step, left }) => left > 0 && matches(step.when, request));
    if (slot === undefined) return null;
    slot.left -= 1;
    return slot.step;
  }

  /** Answers not yet given. */
  left(): number {
    return this.#steps.reduce((sum, slot) => sum + slot.left, 0);
  }
}

function matches(when: StepMatch | undefined, request: CreateRequest): boolean {
  if (when === undefined) return true;
  if ('model' in when) return when.model === request.model;
  return containsText(request.input, when.inputContains);
}

function containsText(value: Json, text: string): boolean {
  if (typeof value === 'string') return value.includes(text);
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some((part) => containsText(part, text));
}
