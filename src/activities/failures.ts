import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { TurnkeeperError, type ErrorCode } from '../contracts/errors.ts';
import { FAILURE } from '../contracts/failures.ts';
import { ModelError } from '../contracts/model.ts';
import { StepRefused, StoreUnavailable, type StepFailure } from '../contracts/store.ts';
import { describeError } from '../contracts/thrown.ts';
import type { ToolUnavailable } from '../contracts/tools.ts';
import { isCancelled, isShuttingDown } from './cancellation.ts';

const MAX_MESSAGE = 500;
/** Errors that pass by themselves. */
const OUTAGES: ErrorCode[] = ['temporal_unreachable', 'database_unreachable', 'index_unreachable'];

/** What a failure says to operators and callers: short, for it is kept in Temporal's mutable state. */
export function messageOf(error: unknown): string {
  return describeError(error).replaceAll('\u0000', '\ufffd').slice(0, MAX_MESSAGE);
}

/** Runs an activity's work; whatever it throws crosses the wall with a type that says whether to try again. */
export async function throwingFailures<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toFailure(error);
  }
}

/** Thrown on purpose, with a type that says whether to try again. */
export function isExpected(error: unknown): boolean {
  return isCancelled(error) || EXPECTED.some((kind) => error instanceof kind);
}

const EXPECTED = [
  ApplicationFailure,
  CancelledFailure,
  StepRefused,
  StoreUnavailable,
  TurnkeeperError,
  ModelError,
];

function toFailure(error: unknown): unknown {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  const message = messageOf(error);
  if (error instanceof StepRefused) {
    return ApplicationFailure.create({
      type: error.reason,
      message,
      nonRetryable: error.reason !== FAILURE.fenced,
    });
  }
  if (error instanceof TurnkeeperError) {
    const nonRetryable = !OUTAGES.includes(error.code);
    return ApplicationFailure.create({ type: error.code, message, nonRetryable });
  }
  if (error instanceof ModelError && error.kind === 'aborted') return stopped();
  // Of embeddings; `respond` concludes its model's failures itself.
  if (error instanceof ModelError && !error.retryable) {
    return modelFailed({ reason: error.kind, message });
  }
  const type = error instanceof StoreUnavailable ? FAILURE.unavailable : undefined;
  return ApplicationFailure.create({ ...(type && { type }), message });
}

/** Told to stop: handed over when only the worker goes away. */
export function stopped(): ApplicationFailure | CancelledFailure {
  return isShuttingDown() ? workerShutdown() : new CancelledFailure('The work was cancelled.');
}

export function modelFailed({ reason, message }: StepFailure): ApplicationFailure {
  return ApplicationFailure.create({
    type: FAILURE.modelFailed,
    message,
    nonRetryable: true,
    details: [reason],
  });
}

export function modelRetry({ reason, message }: StepFailure, delayMs: number): ApplicationFailure {
  return ApplicationFailure.create({
    type: FAILURE.modelRetry,
    message: `${reason}: ${message}`,
    nextRetryDelay: Math.max(1, Math.round(delayMs)),
  });
}

export function toolMissing(names: string[]): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'tool_not_registered',
    message: `This worker has no tool ${names.join(', ')}.`,
    nextRetryDelay: 1_000,
  });
}

/** Tried again as the workflow's policy says: the engine of a tool takes a while to come back. */
export function toolUnavailable(error: ToolUnavailable): ApplicationFailure {
  const message = messageOf(error.cause ?? error);
  return ApplicationFailure.create({ type: FAILURE.unavailable, message });
}

/** `last`: no other attempt is made to undo it. */
export function notUndone({ reason, message }: StepFailure, last: boolean): ApplicationFailure {
  return ApplicationFailure.create({ type: reason, message, nonRetryable: last });
}

export function workerShutdown(): ApplicationFailure {
  return ApplicationFailure.create({
    type: FAILURE.workerShutdown,
    message: 'The worker is going away.',
    nextRetryDelay: 1,
  });
}
