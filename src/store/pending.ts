import type { EventBatch, NewEvent, StepRef } from '../contracts/store.ts';
import { mergeDeltas } from '../conversation/deltas.ts';

/** What one attempt has yet to write. */
export class PendingEvents {
  readonly #ref: StepRef;
  readonly #lost = new AbortController();
  #queue: NewEvent[] = [];
  /** The events of the batch that is being written; kept until the store confirms them. */
  #sending: NewEvent[] = [];
  #appended = 0;
  /** Kinds of deltas that there were. */
  readonly #shown = new Set<string>();

  constructor(ref: StepRef) {
    this.#ref = ref;
  }

  startBehind(appended: number): void {
    this.#appended = appended;
  }

  /** Aborted once the attempt can write no more; its reason says why. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Queues it; answers whether a reader waits for it: the first delta of its kind. */
  add(event: NewEvent): boolean {
    this.throwIfLost();
    this.#queue.push(event);
    if (!event.type.endsWith('.delta') || this.#shown.has(event.type)) return false;
    this.#shown.add(event.type);
    return true;
  }

  hasEvents(): boolean {
    return !this.lost.aborted && (this.#queue.length > 0 || this.#sending.length > 0);
  }

  nextBatch(): EventBatch | undefined {
    if (this.lost.aborted || this.#queue.length === 0) return undefined;
    this.#sending = mergeDeltas(this.#queue);
    this.#queue = [];
    return { ref: this.#ref, position: this.#appended, events: this.#sending };
  }

  confirm(count: number): void {
    this.#appended += count;
    this.#sending = [];
  }

  lose(error: unknown): void {
    this.#sending = [];
    this.#queue = [];
    this.#lost.abort(error);
  }

  takeAll(): NewEvent[] {
    this.throwIfLost();
    const events = mergeDeltas(this.#queue);
    this.#queue = [];
    return events;
  }

  throwIfLost(): void {
    this.lost.throwIfAborted();
  }
}
