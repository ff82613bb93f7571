import {
  ActivityCancellationType,
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  TemporalFailure,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow';
import type { ActivityOptions } from '@temporalio/workflow';
import { FAILURE } from '../contracts/failures.ts';
import type {
  Ending,
  Reply,
  ToolCallRef,
  TurnActivities,
  TurnInput,
  TurnOutcome,
} from '../contracts/turn.ts';
import { candidatesOf, endingOf, plainLabel, toolStep } from '../conversation/loop.ts';
import { detailsBoard, type DetailsBoard } from './details.ts';
import { causeOf, isFinal } from './failures.ts';

const HEARTBEAT_TIMEOUT = '5s';
const TOOL_GRACE_MS = 10_000;
/**
 * Four seconds in all. The timeout ends an attempt that hangs; a `startToCloseTimeout` as long may fire first, and have
 * it repeated. It does not end the retries of attempts that fail: five of them, with 3 s of waiting in between, do.
 */
const LOCAL_CLOSE = {
  scheduleToCloseTimeout: '4s',
  retry: { initialInterval: '200ms', maximumAttempts: 5 },
} as const;
/** Beyond it, or half of the turn's time, the model answers without passages. */
const RETRIEVAL_LIMIT_MS = 45_000;
const RETRIEVAL_ATTEMPT = '15s';

/** One conversation turn, from its accepted input to its end. How it ended is what the store's row says. */
export async function turn(input: TurnInput): Promise<TurnOutcome> {
  const board = detailsBoard();
  const ending = await runToEnding(input, board);
  const outcome = await closeTurn(input, ending);
  return followOutcome(outcome);
}

/** Only failures of activities and cancellation end a turn; a bug fails the workflow task, so that a fix can resume it. */
async function runToEnding(input: TurnInput, board: DetailsBoard): Promise<Ending> {
  try {
    return await runRounds(input, board);
  } catch (error) {
    if (!(error instanceof TemporalFailure)) throw error;
    return endingOfFailure(error);
  }
}

async function runRounds(input: TurnInput, board: DetailsBoard): Promise<Ending> {
  let after = input.retrieve ? await retrieve(input, board) : [];
  for (let round = 1; round <= input.maxRounds; round++) {
    const { step, reply } = await respond(input, round, after, board);
    if (reply.kind !== 'calls') return endingOf(reply);
    if (round < input.maxRounds) after = await runTools(input, step, reply.calls, board);
  }
  return { status: 'incomplete', reason: 'max_rounds' };
}

/** A turn whose retrieval failed goes on without passages. */
async function retrieve(input: TurnInput, board: DetailsBoard): Promise<string[]> {
  const step = 'retrieve';
  try {
    const activities = proxyActivities<TurnActivities>({
      ...withinTurn(input),
      scheduleToCloseTimeout: Math.min(RETRIEVAL_LIMIT_MS, timeLeftMs(input) / 2),
      startToCloseTimeout: RETRIEVAL_ATTEMPT,
      summary: 'passages',
    });
    await board.during(step, 'passages', () => activities.retrieve({ ...stepOf(input, step, []) }));
    return [step];
  } catch (error) {
    if (endsTurn(error)) throw error;
    return [];
  }
}

async function respond(
  input: TurnInput,
  round: number,
  after: string[],
  board: DetailsBoard,
): Promise<{ step: string; reply: Reply }> {
  let follows: { step: string; reason: string } | null = null;
  let failure: unknown;
  for (const { step, model } of candidatesOf(input, round)) {
    try {
      const activities = proxyActivities<TurnActivities>({
        ...withinTurn(input),
        summary: model ?? 'fallback answer',
      });
      const previous = follows ? [follows.step] : after;
      const request = { ...stepOf(input, step, previous), model, follows };
      const reply = await board.during(step, model ?? 'fallback answer', () =>
        activities.respond(request),
      );
      return { step, reply };
    } catch (error) {
      const reason = modelFailureReason(error);
      if (reason === undefined) throw error;
      follows = { step, reason };
      failure = error;
    }
  }
  throw failure;
}

/** All calls of one round at once; their outputs have their places in the store already. */
async function runTools(
  input: TurnInput,
  after: string,
  calls: ToolCallRef[],
  board: DetailsBoard,
): Promise<string[]> {
  return Promise.all(
    calls.map(async (call) => {
      const step = toolStep(call.callId);
      const activities = proxyActivities<TurnActivities>({
        ...withinTurn(input),
        startToCloseTimeout: call.timeoutMs + TOOL_GRACE_MS,
        summary: plainLabel(call.name),
      });
      const request = { ...stepOf(input, step, [after]), call };
      await board.during(step, plainLabel(call.name), () => activities.runTool(request));
      return step;
    }),
  );
}

function stepOf({ tenant, turnId }: TurnInput, step: string, after: string[]) {
  return { tenant, turnId, step, after };
}

function timeLeftMs({ deadlineMs }: TurnInput): number {
  return Math.max(1, deadlineMs - Date.now());
}

function withinTurn(input: TurnInput): ActivityOptions {
  return {
    scheduleToCloseTimeout: timeLeftMs(input),
    heartbeatTimeout: HEARTBEAT_TIMEOUT,
    cancellationType: ActivityCancellationType.TRY_CANCEL,
    retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '10s' },
  };
}

/**
 * Local, for it costs no workflow task; when that has not succeeded within four seconds, as a regular activity that is
 * retried until it does.
 */
async function closeTurn({ tenant, turnId }: TurnInput, ending: Ending): Promise<TurnOutcome> {
  const request = { tenant, turnId, ending };
  return CancellationScope.nonCancellable(async () => {
    try {
      const local = proxyLocalActivities<TurnActivities>(LOCAL_CLOSE);
      return await local.closeTurn(request);
    } catch (error) {
      if (!(error instanceof TemporalFailure) || isFinal(error)) throw error;
      const retry = { initialInterval: '200ms', maximumInterval: '10s' } as const;
      const regular = proxyActivities<TurnActivities>({ startToCloseTimeout: '30s', retry });
      return regular.closeTurn(request);
    }
  });
}

/** Temporal's own outcome follows the row. */
function followOutcome(outcome: TurnOutcome): TurnOutcome {
  const { status, reason } = outcome;
  if (status === 'completed' || status === 'incomplete') return outcome;
  if (status === 'cancelled' && CancellationScope.current().consideredCancelled) {
    throw new CancelledFailure('The turn was cancelled.');
  }
  throw ApplicationFailure.create({
    type: reason ?? status,
    message: `The turn ended as ${status}${reason ? `: ${reason}` : ''}.`,
    nonRetryable: true,
  });
}

function endingOfFailure(error: TemporalFailure): Ending {
  if (isCancellation(error)) return { status: 'cancelled' };
  if (ranOutOfTime(error)) return { status: 'expired' };
  const cause = causeOf(error);
  const reason = modelFailureReason(error) ?? (cause?.type || 'internal_error');
  return { status: 'failed', reason, message: cause?.message ?? error.message };
}

/** Whether the turn cannot go on after this failure. */
function endsTurn(error: unknown): boolean {
  if (!(error instanceof ActivityFailure)) return true;
  return isCancellation(error) || isFinal(error);
}

function ranOutOfTime(error: TemporalFailure): boolean {
  return error instanceof ActivityFailure && error.retryState === 'TIMEOUT';
}

function modelFailureReason(error: unknown): string | undefined {
  const cause = causeOf(error);
  return cause?.type === FAILURE.modelFailed ? String(cause.details?.[0]) : undefined;
}
