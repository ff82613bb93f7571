import type { EventBatch, EventStore, StepRef } from '../../src/contracts/store.ts';
import { StoreUnavailable } from '../../src/contracts/store.ts';

export type Fault = 'away' | 'answer lost' | null;

const away = () => new StoreUnavailable(new Error('away'));

/** Takes batches as the database does, and fails as it is told: one fault for each call. */
export class EventsInMemory implements Pick<EventStore, 'append' | 'appended'> {
  readonly faults: Fault[] = [];
  readonly faultsWhenAsked: Fault[] = [];
  /** Steps whose attempt was overtaken. */
  readonly taken = new Set<StepRef>();
  /** Steps with a row that the database refuses. */
  readonly broken = new Set<StepRef>();
  /** Steps of each append that arrived, in order. */
  readonly appends: string[][] = [];
  readonly #shown = new Map<StepRef, unknown[]>();

  async append(batches: EventBatch[]): Promise<StepRef[]> {
    const fault = this.faults.shift() ?? null;
    if (fault === 'away') throw away();
    if (batches.some(({ ref }) => this.broken.has(ref))) throw new Error('invalid byte sequence');
    this.appends.push(batches.map(({ ref }) => ref.step));
    const refused = batches.filter((batch) => !this.#take(batch)).map(({ ref }) => ref);
    if (fault === 'answer lost') throw away();
    return refused;
  }

  #take({ ref, position, events }: EventBatch): boolean {
    const shown = this.shown(ref);
    if (this.taken.has(ref) || shown.length !== position) return false;
    this.#shown.set(ref, [...shown, ...events.map((event) => event['delta'])]);
    return true;
  }

  shown(ref: StepRef): unknown[] {
    return this.#shown.get(ref) ?? [];
  }

  async appended(ref: StepRef): Promise<number | null> {
    if (this.faultsWhenAsked.shift() === 'away') throw away();
    return this.taken.has(ref) ? null : this.shown(ref).length;
  }
}
