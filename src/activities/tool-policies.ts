import type { JsonObject } from '../contracts/json.ts';
import type { ToolContext, ToolDefinition, Tools } from '../contracts/tools.ts';
import type { ToolPolicy } from '../contracts/turn.ts';
import { messageOf } from './failures.ts';
import { executeWithin } from './tool-execution.ts';
import { failed, succeeded, unknown, type ToolResult } from './tool-result.ts';

export interface ToolRun {
  tool: ToolDefinition;
  tools: Tools;
  /** As it was when the model was offered the tool. */
  policy: ToolPolicy;
  args: JsonObject;
  timeoutMs: number;
  context: Omit<ToolContext, 'signal'>;
}

export async function runOnce({
  tool,
  tools,
  args,
  timeoutMs,
  context,
}: ToolRun): Promise<ToolResult> {
  const execution = await executeWithin(timeoutMs, context, (full) => tool.run(args, full));
  switch (execution.kind) {
    case 'returned':
      return succeeded(tool, tools, execution.value);
    case 'threw':
      return failed({ type: 'tool_error', message: messageOf(execution.error) });
    case 'timed_out': {
      const message = `${tool.name} was stopped after ${timeoutMs} ms; it may have taken effect.`;
      return unknown(tool, { type: 'timeout', message });
    }
  }
}

/** An earlier attempt has begun this call and not said how it went: the tool's policy decides. */
export async function runAgain(run: ToolRun): Promise<ToolResult> {
  switch (run.policy) {
    case 'idempotent':
      return runOnce(run);
    case 'at-most-once':
      return unknown(run.tool);
    case 'reconcilable':
      return reconcile(run);
  }
}

async function reconcile(run: ToolRun): Promise<ToolResult> {
  const { tool, tools, args, timeoutMs, context } = run;
  const execution = await executeWithin(timeoutMs, context, (full) => tool.reconcile?.(args, full));
  const found = execution.kind === 'returned' ? execution.value : undefined;
  switch (found?.state) {
    case 'done':
      return succeeded(tool, tools, found.output);
    case 'not_started':
      return runOnce(run);
    default:
      return unknown(tool);
  }
}
