import type { JsonObject } from '../contracts/json.ts';
import { ToolUnavailable } from '../contracts/tools.ts';
import type { RunnableTool, ToolContext, Tools } from '../contracts/tools.ts';
import type { ToolPolicy } from '../contracts/turn.ts';
import { toolUnavailable } from './failures.ts';
import { executeWithin, type Execution } from './tool-execution.ts';
import { succeeded, threw, threwAgain, unknown, type ToolResult } from './tool-result.ts';

export interface ToolRun {
  tool: RunnableTool;
  tools: Tools;
  /** As it was when the model was offered the tool. */
  policy: ToolPolicy;
  args: JsonObject;
  /** 1 for the first that began it. */
  attempt: number;
  timeoutMs: number;
  context: Omit<ToolContext, 'signal'>;
}

/** With Temporal's pauses in between, about a minute. */
const MAX_ATTEMPTS = 10;

/** `failure` is what it comes to that the tool threw. */
export async function runOnce(run: ToolRun, failure = threw): Promise<ToolResult> {
  const { tool, tools, args, timeoutMs } = run;
  const execution = await execute(run, (context) => tool.run(args, context));
  switch (execution.kind) {
    case 'returned':
      return succeeded(tool, tools, execution.value);
    case 'threw':
      return failure(execution.error);
    case 'timed_out': {
      const message = `${tool.name} was stopped after ${timeoutMs} ms; it may have taken effect.`;
      return unknown(tool.name, { type: 'timeout', message });
    }
  }
}

/** An earlier attempt has begun this call and not said how it went: the tool's policy decides. */
export async function runAgain(run: ToolRun): Promise<ToolResult> {
  switch (run.policy) {
    case 'idempotent':
      return runOnce(run, (error) => threwAgain(run.tool, error));
    case 'at-most-once':
      return unknown(run.tool.name);
    case 'reconcilable':
      return reconcile(run);
  }
}

async function reconcile(run: ToolRun): Promise<ToolResult> {
  const { tool, tools, args } = run;
  const execution = await execute(run, (context) => tool.reconcile?.(args, context));
  const found = execution.kind === 'returned' ? execution.value : undefined;
  switch (found?.state) {
    case 'done':
      return succeeded(tool, tools, found.output);
    case 'not_started':
      return runOnce(run);
    default:
      return unknown(tool.name);
  }
}

/** Runs the tool's own code; when that says that its engine is away, the call is tried again where it may be. */
async function execute<T>(
  { policy, attempt, timeoutMs, context }: ToolRun,
  work: (context: ToolContext) => Promise<T> | T,
): Promise<Execution<T>> {
  const execution = await executeWithin(timeoutMs, context, work);
  if (execution.kind !== 'threw' || !(execution.error instanceof ToolUnavailable)) return execution;
  const { error } = execution;
  const mayTryAgain = error.retryable && policy !== 'at-most-once' && attempt < MAX_ATTEMPTS;
  if (mayTryAgain) throw toolUnavailable(error);
  return execution;
}
