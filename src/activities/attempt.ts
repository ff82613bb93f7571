import { Context, activityInfo, heartbeat } from '@temporalio/activity';
import type { StepRef } from '../contracts/store.ts';
import { StoreUnavailable } from '../contracts/store.ts';
import { AttemptOver } from '../contracts/tools.ts';
import type { StepInput } from '../contracts/turn.ts';
import { isShuttingDown, mayComeAgain } from './cancellation.ts';
import { workerShutdown } from './failures.ts';

const HEARTBEAT_MS = 1_000;

/** This attempt's hold on its step. The server's schedule time rises from attempt to attempt, also after a reset. */
export function stepRef({ tenant, turnId, step }: StepInput): StepRef {
  const { currentAttemptScheduledTimestampMs: scheduledMs, attempt } = activityInfo();
  return { tenant, turnId, step, fence: { scheduledMs, attempt } };
}

/** The same for every attempt of this step, and for no other step of any tenant. */
export function idempotencyKey({ turnId, step }: Pick<StepRef, 'turnId' | 'step'>): string {
  return `${turnId}:${step}`;
}

/**
 * Beats once a second: it says that this process lives, not that the work gets on. What takes less needs no beat, which
 * is a call to the server.
 */
export async function whileBeating<T>(work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => heartbeat(), HEARTBEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** Milliseconds until the server gives this activity up. */
export function timeLeftMs(): number {
  const { scheduledTimestampMs, scheduleToCloseTimeoutMs } = activityInfo();
  return scheduledTimestampMs + scheduleToCloseTimeoutMs - Date.now();
}

/** A deployment that adds a tool has replaced its workers by then. */
const LOOKUP_MS = 60_000;

/** Whether a worker may still come by that has what this one lacks: for a minute, or a quarter of what the turn has left. */
export function mayFindWorker(): boolean {
  const { scheduledTimestampMs, scheduleToCloseTimeoutMs } = activityInfo();
  const patienceMs = Math.min(LOOKUP_MS, scheduleToCloseTimeoutMs / 4);
  return Date.now() - scheduledTimestampMs < patienceMs;
}

/** How long a tool may go on once its worker was told to stop. */
const SHUTDOWN_GRACE_MS = 10_000;

/**
 * Aborted when the turn is cancelled or the attempt was given up, at once; when only the worker goes away, after a while
 * that lets most tools finish. The reason is `AttemptOver` where another attempt may follow.
 */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  Context.current().cancelled.catch((error: unknown) => {
    if (!isShuttingDown()) controller.abort(mayComeAgain() ? new AttemptOver(error) : error);
    else setTimeout(() => controller.abort(goingAway()), SHUTDOWN_GRACE_MS).unref();
  });
  return controller.signal;
}

function goingAway(): AttemptOver {
  return new AttemptOver(workerShutdown());
}

const PERSIST_FOR_MS = 60_000;
const PERSIST_EVERY_MS = 500;

/** For what must not be thrown away because the database is out for a moment: a reply that was paid for, an effect. */
export async function persistently<T>(write: () => Promise<T>): Promise<T> {
  const giveUpAt = Date.now() + PERSIST_FOR_MS;
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || Date.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, PERSIST_EVERY_MS));
    }
  }
}
