import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  CancelledFailure,
  TemporalFailure,
  isCancellation,
  proxyActivities,
} from '@temporalio/workflow';
import { FAILURE } from '../contracts/failures.ts';
import type { Ending, Reply, TurnActivities, TurnInput, TurnOutcome } from '../contracts/turn.ts';
import { candidatesOf, endingOf } from '../conversation/loop.ts';
import { detailsBoard, type DetailsBoard } from './details.ts';
import { causeOf, isFinal } from './failures.ts';
import { locallyFirst } from './locally-first.ts';
import { runCalls } from './run-calls.ts';
import { stepOf, timeLeftMs, withinTurn } from './turn-steps.ts';

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

async function runRounds(accepted: TurnInput, board: DetailsBoard): Promise<Ending> {
  let input = accepted;
  let after = input.retrieve ? await retrieve(input, board) : [];
  for (let round = 1; round <= input.maxRounds; round++) {
    const { step, reply } = await respond(input, round, after, board);
    if (reply.kind !== 'calls') return endingOf(reply);
    if (round === input.maxRounds) break;
    ({ input, after } = await runCalls(input, step, reply.calls, board));
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
      const last = round === input.maxRounds && ({ last: true } as const);
      const request = { ...stepOf(input, step, previous), model, follows, ...last };
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

async function closeTurn({ tenant, turnId }: TurnInput, ending: Ending): Promise<TurnOutcome> {
  const request = { tenant, turnId, ending };
  return CancellationScope.nonCancellable(() =>
    locallyFirst((activities) => activities.closeTurn(request)),
  );
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
  if (causeOf(error)?.type === FAILURE.actionsExpired) return true;
  return error instanceof ActivityFailure && error.retryState === 'TIMEOUT';
}

function modelFailureReason(error: unknown): string | undefined {
  const cause = causeOf(error);
  return cause?.type === FAILURE.modelFailed ? String(cause.details?.[0]) : undefined;
}
