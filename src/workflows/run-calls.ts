import { CancellationScope, proxyActivities } from '@temporalio/workflow';
import type { ToolCallRef, TurnActivities, TurnInput } from '../contracts/turn.ts';
import { plainLabel, toolStep } from '../conversation/loop.ts';
import { awaitActions } from './await-actions.ts';
import type { DetailsBoard } from './details.ts';
import { stepOf, withinTurn } from './turn-steps.ts';

const TOOL_GRACE_MS = 10_000;

/** Where a round of calls leaves the turn. */
export interface RoundOfCalls {
  /** Its deadline has moved when calls had to wait. */
  input: TurnInput;
  /** Steps that the next one follows. */
  after: string[];
}

/** All calls of one round at once; their outputs have their places in the store already. */
export async function runCalls(
  input: TurnInput,
  asked: string,
  calls: ToolCallRef[],
  board: DetailsBoard,
): Promise<RoundOfCalls> {
  const waiting = calls.filter(({ waits }) => waits !== undefined);
  const run = (of: TurnInput, call: ToolCallRef) => runTool(of, asked, call, board);
  if (waiting.length === 0) {
    return { input, after: await Promise.all(calls.map((call) => run(input, call))) };
  }
  const scope = new CancellationScope();
  try {
    return await scope.run(async () => {
      const running = runningTools();
      for (const call of calls) if (call.waits === undefined) running.add(run(input, call));
      const begin = (of: TurnInput, call: ToolCallRef) => running.add(run(of, call));
      const decided = await Promise.race([
        awaitActions(input, waiting, { begin, board }),
        running.failed,
      ]);
      const after = await running.done();
      return { input: decided, after: after.length > 0 ? after : [asked] };
    });
  } catch (error) {
    // Neither the wait nor tools go on when the turn ends over them.
    scope.cancel();
    throw error;
  }
}

/** Tools that were begun at different times. `failed` rejects as soon as one of them does. */
function runningTools() {
  const tools: Promise<string>[] = [];
  let fail: (error: unknown) => void;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  return {
    failed,
    add(tool: Promise<string>): void {
      tool.catch(fail);
      tools.push(tool);
    },
    done: () => Promise.all(tools),
  };
}

async function runTool(
  input: TurnInput,
  asked: string,
  call: ToolCallRef,
  board: DetailsBoard,
): Promise<string> {
  const step = toolStep(call.callId);
  const activities = proxyActivities<TurnActivities>({
    ...withinTurn(input),
    startToCloseTimeout: call.timeoutMs + TOOL_GRACE_MS,
    summary: plainLabel(call.name),
  });
  const request = { ...stepOf(input, step, [asked]), call };
  await board.during(step, plainLabel(call.name), () => activities.runTool(request));
  return step;
}
