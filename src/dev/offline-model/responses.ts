import { EventEmitter, once } from 'node:events';
import { newId } from './ids.ts';
import type { CreateRequest } from './request.ts';
import type { NumberedEvent, ScriptedEvent, WireEvent, WireResponse } from './wire.ts';

/** Finished responses kept for retrieval; a server that runs for days must not grow. */
const MAX_KEPT = 1_000;

/** How long a background response can be had, milliseconds from its creation on. */
interface Retention {
  streamableMs: number;
  keptMs: number;
}

/** One response: its object, and the log of its events. */
export class StoredResponse {
  readonly id: string;
  readonly request: CreateRequest;
  readonly response: WireResponse;
  readonly #retention: Retention;
  readonly #createdAt = Date.now();
  readonly #events: NumberedEvent[] = [];
  readonly #changes = new EventEmitter().setMaxListeners(0);
  readonly #generation = new AbortController();
  #ended = false;
  /** Events that go to the connection that created it, which is then cut. */
  #severedAt: number | null = null;

  constructor(request: CreateRequest, retention: Retention) {
    this.request = request;
    this.#retention = retention;
    this.response = newResponse(request);
    this.id = this.response.id;
  }

  /** Aborted when nobody wants the response any more. */
  get generation(): AbortSignal {
    return this.#generation.signal;
  }

  /** True once the connection that created it is to be cut. */
  get severed(): boolean {
    return this.#severedAt !== null;
  }

  /** False once it is too old to be streamed again. */
  get streamable(): boolean {
    return this.#age() < this.#retention.streamableMs;
  }

  get forgotten(): boolean {
    return this.request.background && this.#age() >= this.#retention.keptMs;
  }

  append(event: WireEvent | ScriptedEvent): void {
    this.#events.push({ ...event, sequence_number: this.#events.length });
    this.#changes.emit('change');
  }

  sever(): void {
    this.#severedAt ??= this.#events.length;
    this.#changes.emit('change');
  }

  end(): void {
    this.#ended = true;
    this.#changes.emit('change');
  }

  /** Stops the generation; a response that has ended stays as it is. */
  cancel(): void {
    if (this.#ended) return;
    this.response.status = 'cancelled';
    this.#generation.abort();
    this.end();
  }

  /** A copy, for an event or an answer. */
  snapshot(): WireResponse {
    return structuredClone(this.response);
  }

  /**
   * Events after that sequence number up to the end. The connection that created the response also stops where it
   * is to be cut.
   */
  async *follow(
    after: number,
    options: { signal: AbortSignal; creator: boolean },
  ): AsyncGenerator<NumberedEvent> {
    for (let next = after + 1; !options.signal.aborted;) {
      if (options.creator && next === this.#severedAt) return;
      const event = this.#events[next];
      if (event !== undefined) {
        next += 1;
        yield event;
      } else if (this.#ended || !(await this.#changed(options.signal))) return;
    }
  }

  /** Waits for the end, for the cut, or until the signal is aborted. */
  async settled(signal: AbortSignal): Promise<void> {
    while (!this.#ended && !this.severed && (await this.#changed(signal)));
  }

  #age(): number {
    return Date.now() - this.#createdAt;
  }

  async #changed(signal: AbortSignal): Promise<boolean> {
    return once(this.#changes, 'change', { signal }).then(
      () => true,
      () => false,
    );
  }
}

/** The responses this process knows. */
export class ResponseStore {
  readonly #byId = new Map<string, StoredResponse>();

  add(request: CreateRequest, retention: Retention): StoredResponse {
    const stored = new StoredResponse(request, retention);
    if (!request.store) return stored;
    this.#byId.set(stored.id, stored);
    const oldest = this.#byId.keys().next();
    if (this.#byId.size > MAX_KEPT && oldest.done !== true) this.#byId.delete(oldest.value);
    return stored;
  }

  get(id: string): StoredResponse | undefined {
    const stored = this.#byId.get(id);
    return stored?.forgotten === true ? undefined : stored;
  }
}

function newResponse(request: CreateRequest): WireResponse {
  const { body } = request;
  const asked = {
    temperature: 1,
    top_p: 1,
    tool_choice: 'auto',
    parallel_tool_calls: true,
    metadata: {},
    max_output_tokens: null,
    truncation: 'disabled',
    text: { format: { type: 'text' } },
    reasoning: { effort: null, summary: null },
    ...pick(body, ECHOED),
  };
  return {
    ...asked,
    id: newId('resp'),
    object: 'response',
    created_at: Math.floor(Date.now() / 1_000),
    status: request.background ? 'queued' : 'in_progress',
    background: request.background,
    store: request.store,
    error: null,
    incomplete_details: null,
    instructions: request.instructions,
    model: request.model,
    output: [],
    tools: request.tools as unknown as WireResponse['tools'],
    previous_response_id: null,
  } as WireResponse;
}

const ECHOED = [
  'temperature',
  'top_p',
  'tool_choice',
  'parallel_tool_calls',
  'metadata',
  'max_output_tokens',
  'truncation',
  'text',
  'reasoning',
  'safety_identifier',
  'prompt_cache_key',
];

function pick(body: CreateRequest['body'], names: string[]): CreateRequest['body'] {
  return Object.fromEntries(
    names.flatMap((name) => (name in body ? [[name, body[name] ?? null]] : [])),
  );
}
