import { ApplicationFailure, condition, defineUpdate, setHandler } from '@temporalio/workflow';
import { ACTIONS_SUBMITTED, type ActionsRead } from '../contracts/actions.ts';
import { FAILURE } from '../contracts/failures.ts';
import type { ToolCallRef, TurnInput } from '../contracts/turn.ts';
import { plainLabel, toolStep } from '../conversation/loop.ts';
import type { DetailsBoard } from './details.ts';
import { locallyFirst } from './locally-first.ts';

const submitted = defineUpdate(ACTIONS_SUBMITTED);

interface Waiting {
  /** Begins a call that was approved. */
  begin: (input: TurnInput, call: ToolCallRef) => void;
  board: DetailsBoard;
}

/**
 * Waits until each of these calls is decided, and begins those that are approved as soon as they are. What was submitted
 * is in the store: an Update only says that there is something to read. Answers the turn with its new deadline.
 */
export async function awaitActions(
  input: TurnInput,
  calls: ToolCallRef[],
  { begin, board }: Waiting,
): Promise<TurnInput> {
  const news = listenForSubmissions();
  const begun = new Set<string>();
  try {
    for (;;) {
      news.forget();
      const { states, waitMs, timeLeftMs } = await readActions(input, calls);
      const inTime = { ...input, deadlineMs: Date.now() + timeLeftMs };
      for (const call of calls) {
        const state = states[call.callId];
        if (state !== 'approved') show(board, call, state);
        else if (!begun.has(call.callId)) begin(inTime, call);
        if (state === 'approved') begun.add(call.callId);
      }
      if (waitMs === null) return inTime;
      if (waitMs === 0) throw expired();
      await condition(news.came, waitMs);
    }
  } finally {
    news.stop();
  }
}

/** From here on, and before the store is read for the first time: what is submitted meanwhile is not missed. */
function listenForSubmissions() {
  let listening = true;
  let came = false;
  const validator = () => {
    if (!listening) throw new Error('The turn waits for nothing.');
  };
  setHandler(submitted, () => void (came = true), { validator });
  return {
    came: () => came,
    forget: () => void (came = false),
    stop: () => void (listening = false),
  };
}

function readActions({ tenant, turnId }: TurnInput, calls: ToolCallRef[]): Promise<ActionsRead> {
  const callIds = calls.map(({ callId }) => callId);
  return locallyFirst((activities) => activities.readActions({ tenant, turnId, callIds }));
}

function show(board: DetailsBoard, call: ToolCallRef, state: string | undefined): void {
  const waitsFor = call.waits === 'approval' ? 'waits for approval' : 'waits for its output';
  const pending = state === 'pending';
  const label = `${plainLabel(call.name)}: ${pending ? waitsFor : state}`;
  board.note(toolStep(call.callId), label, pending ? 'waiting' : 'done');
}

function expired(): ApplicationFailure {
  return ApplicationFailure.create({
    type: FAILURE.actionsExpired,
    message: 'Nobody submitted what the turn waited for.',
    nonRetryable: true,
  });
}
