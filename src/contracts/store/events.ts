import type { JsonObject } from '../json.ts';
import type { StepRef } from './step-ref.ts';

/** Responses stream events plus our own `turn.*`. */
export type NewEvent = JsonObject & { type: string };

export interface TurnEvent {
  /** 1, 2, 3 … per turn, in commit order. */
  number: number;
  /** The step it came from, null for events of the turn itself. */
  step: string | null;
  event: NewEvent;
  createdAt: Date;
}

export interface EventBatch {
  ref: StepRef;
  /** How many events of this attempt were appended before: the same batch never lands twice. */
  position: number;
  events: NewEvent[];
}

export interface EventStore {
  /** Appends in one statement; answers the steps whose batch was refused, in the order given. */
  append(batches: EventBatch[]): Promise<StepRef[]>;
  /** How many events this attempt has appended; null when it has lost its step. */
  appended(ref: StepRef): Promise<number | null>;
  /** At most `limit` events, fewer where they are large. */
  read(
    tenant: string,
    turnId: string,
    range: { after: number; limit: number },
  ): Promise<EventsRead>;
  /**
   * Tells of events that this process writes, and of those of others that announce them. Only a hint: others may not
   * announce theirs, and some may be missed.
   */
  watch(tenant: string, turnId: string): EventWatch;
  /** Somebody reads the turn for the next `LEASE_MS`. For turns that end without readers; others are left alone. */
  attend(tenant: string, turnId: string): Promise<void>;
  /** One reader has left; others have until `LEAVE_MS` from now to say that they are there. */
  leave(tenant: string, turnId: string): Promise<void>;
}

/** How long a reader counts as present without saying so again; it says so every `ATTEND_EVERY_MS`. */
export const LEASE_MS = 6_000;
export const LEAVE_MS = 3_000;
export const ATTEND_EVERY_MS = 1_500;

export interface EventsRead {
  events: TurnEvent[];
  /** Number of the turn's newest event. */
  last: number;
  /** The turn had ended: nothing will come behind these events. */
  sealed: boolean;
  /** The turn ends without readers: they have to say that they are there. */
  attended: boolean;
}

export interface EventWatch {
  /** Resolves true once events may have come since the call before, false after `ms`. One call at a time. */
  next(ms: number): Promise<boolean>;
  close(): void;
}

/** Gathers the events of all turns of this process and writes them together. */
export interface Appender {
  /** For an attempt that goes on where an earlier one stopped: so many events of the step are in the store. */
  resume(ref: StepRef, appended: number): void;
  /** Queues; the first delta of a step goes at once. Throws `StepRefused` when the step has been lost. */
  append(ref: StepRef, event: NewEvent): void;
  /** Waits until nothing of this step is being written, and hands over what is still unwritten. */
  take(ref: StepRef): Promise<NewEvent[]>;
  /** Writes what is queued for this step. */
  flush(ref: StepRef): Promise<void>;
  /** Forgets the step. */
  release(ref: StepRef): void;
  /** Aborted with `StepRefused` when the step has been lost, with `StoreUnavailable` when writing was given up. */
  lost(ref: StepRef): AbortSignal;
  close(): Promise<void>;
}
