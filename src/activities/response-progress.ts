import type { JsonObject } from '../contracts/json.ts';
import type { ModelEvent } from '../contracts/model.ts';
import type { NewEvent } from '../contracts/store.ts';
import {
  endOf,
  readerEvent,
  replyCollector,
  responseIdOf,
  type CollectedReply,
} from '../conversation/collect.ts';
import { eventsOf, shownSoFar } from '../conversation/shown.ts';

/** How far a background response has come: what was read of it, over whatever connections and by whatever attempts. */
export class ResponseProgress {
  readonly #collector = replyCollector();
  readonly #shown = shownSoFar();
  #responseId: string | null = null;
  #after: number | null = null;
  #ended = false;

  constructor(stored: NewEvent[] = []) {
    for (const event of stored) this.add(event);
  }

  get responseId(): string | null {
    return this.#responseId;
  }

  /** The last sequence number; null before the first. */
  get after(): number | null {
    return this.#after;
  }

  /** The server gives no sequence numbers: nothing says where another connection would have to go on. */
  get isUnnumbered(): boolean {
    return this.#responseId !== null && this.#after === null && !this.#ended;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Answers whether it is new: a server may send again what was read before. */
  add(event: ModelEvent): boolean {
    const { sequence_number: number } = event;
    if (typeof number === 'number') {
      if (this.#after !== null && number <= this.#after) return false;
      this.#after = number;
    }
    this.#collector.add(event);
    this.#shown.add(event);
    this.#responseId ??= responseIdOf([event]);
    this.#ended ||= endOf(event) !== null;
    return true;
  }

  reply(): CollectedReply {
    return this.#collector.result();
  }

  /** The response has finished unseen. Answers what readers have still to be shown, or all of it after a rewind. */
  finish(response: JsonObject): { events: NewEvent[]; rewind: boolean } {
    const rest = this.#shown.rest(response);
    const whole = eventsOf(response);
    for (const event of whole) this.#collector.add(event);
    return { events: (rest ?? whole).map(readerEvent), rewind: rest === null };
  }
}
