import { StepRefused, StoreUnavailable } from '../contracts/store.ts';
import type { Appender, EventBatch, EventStore, NewEvent, StepRef } from '../contracts/store.ts';
import { PendingEvents } from './pending.ts';

const INTERVAL_MS = 50;
const RETRY_MS = 250;
/** Longer than this without the database, and the attempts give up; others begin when it is back. */
const GIVE_UP_MS = 60_000;

/**
 * Writes the events of all steps of this process in one statement every 50 ms, the first delta of a step at once.
 * A statement whose answer was lost is repeated; the store takes no batch twice.
 */
export function createAppender(events: EventStore): Appender {
  const steps = new Map<string, PendingEvents>();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;

  function schedule(): void {
    timer ??= setTimeout(() => void write(), INTERVAL_MS);
  }

  /** One write at a time; a second caller waits for the first and then writes what is left. */
  async function write(): Promise<void> {
    while (writing) await writing;
    clearTimeout(timer);
    timer = undefined;
    const batches = [...steps.values()].flatMap((pending) => pending.nextBatch() ?? []);
    if (batches.length === 0) return;
    writing = writeBatches(batches).finally(() => {
      writing = undefined;
      if ([...steps.values()].some((pending) => pending.hasEvents())) schedule();
    });
    await writing;
  }

  async function writeBatches(batches: EventBatch[]): Promise<void> {
    try {
      await appendPersistently(batches);
    } catch (error) {
      if (error instanceof StoreUnavailable) batches.forEach((batch) => giveUp(batch, error));
      else if (batches.length > 1) for (const batch of batches) await writeBatches([batch]);
      else batches.forEach((batch) => giveUp(batch, error));
    }
  }

  async function appendPersistently(batches: EventBatch[]): Promise<void> {
    const giveUpAt = Date.now() + GIVE_UP_MS;
    for (let repeated = false; ; repeated = true) {
      try {
        await conclude(batches, await events.append(batches), repeated);
        return;
      } catch (error) {
        if (!(error instanceof StoreUnavailable) || Date.now() > giveUpAt) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  async function conclude(
    batches: EventBatch[],
    refused: StepRef[],
    repeated: boolean,
  ): Promise<void> {
    const landed = new Set<EventBatch>();
    for (const batch of batches) {
      if (!refused.includes(batch.ref) || (repeated && (await landedBefore(batch))))
        landed.add(batch);
    }
    // Only now, for asking may fail, and then all of them are sent once more.
    for (const batch of batches) {
      if (landed.has(batch)) steps.get(keyOf(batch.ref))?.confirm(batch.events.length);
      else giveUp(batch, lostStep(batch.ref));
    }
  }

  async function landedBefore({ ref, position, events: sent }: EventBatch): Promise<boolean> {
    return (await events.appended(ref)) === position + sent.length;
  }

  function giveUp({ ref }: EventBatch, error: unknown): void {
    steps.get(keyOf(ref))?.lose(error);
  }

  function pendingOf(ref: StepRef): PendingEvents {
    const key = keyOf(ref);
    const pending = steps.get(key) ?? new PendingEvents(ref);
    steps.set(key, pending);
    return pending;
  }

  return {
    resume: (ref, appended) => pendingOf(ref).startBehind(appended),
    append(ref, event) {
      // In a microtask, so that what comes at the same time goes together.
      if (pendingOf(ref).add(event)) queueMicrotask(() => void write());
      else schedule();
    },
    async take(ref): Promise<NewEvent[]> {
      const pending = pendingOf(ref);
      while (writing) await writing;
      return pending.takeAll();
    },
    async flush(ref) {
      const pending = pendingOf(ref);
      while (pending.hasEvents()) await write();
      pending.throwIfLost();
    },
    lost: (ref) => pendingOf(ref).lost,
    release: (ref) => void steps.delete(keyOf(ref)),
    async close() {
      while (writing) await writing;
      clearTimeout(timer);
    },
  };
}

function keyOf({ turnId, step, fence }: StepRef): string {
  return `${turnId} ${step} ${fence.scheduledMs} ${fence.attempt}`;
}

function lostStep({ step, fence }: StepRef): StepRefused {
  return new StepRefused('step_fenced', `Attempt ${fence.attempt} has lost step ${step}.`);
}
