import type { Json, JsonObject } from '../contracts/json.ts';
import type { Logger } from '../contracts/logger.ts';
import type { Appender, BegunStep, ClaimTool, StepRef, ToolCall } from '../contracts/store.ts';
import { isRunnable, type Tools } from '../contracts/tools.ts';
import type { RunToolInput, ToolCallRef, ToolOutcome } from '../contracts/turn.ts';
import { notingEdit } from '../conversation/action-output.ts';
import { mayFindWorker, idempotencyKey, persistently, stepRef, whileBeating } from './attempt.ts';
import { isCancelled } from './cancellation.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { messageOf, throwingFailures, toolMissing } from './failures.ts';
import { stepFields } from './step-log.ts';
import { readArguments } from './tool-arguments.ts';
import { runAgain, runOnce } from './tool-policies.ts';
import { failed, unknown, type ToolResult } from './tool-result.ts';

type Dependencies = Pick<ActivityDependencies, 'store' | 'appender' | 'tools' | 'logger'>;

/** One tool call: claimed before it runs, settled after. Whatever goes wrong with it, the model is told; the turn goes on. */
export function createRunTool(dependencies: Dependencies) {
  return (input: RunToolInput): Promise<{ outcome: ToolOutcome }> =>
    throwingFailures(() => whileBeating(() => runTool(dependencies, input)));
}

async function runTool(
  dependencies: Dependencies,
  input: RunToolInput,
): Promise<{ outcome: ToolOutcome }> {
  const { store, appender, tools, logger } = dependencies;
  const startedAt = Date.now();
  const ref = stepRef(input);
  const { callId, name, policy } = input.call;
  if (policy !== null && !tools.get(name) && mayFindWorker()) throw toolMissing([name]);
  // From here to the tool's own code nothing may fail: a claim that was not settled counts as started.
  const { begun, call } = await store.steps.claim(claimOf(tools, ref, input));
  if (begun.state === 'settled') return settledOutcome(begun.result);
  try {
    const result = await resultOf(dependencies, ref, { input, call, begun });
    // Whether the last progress was written or not, the result must be.
    await appender.flush(ref).catch(() => undefined);
    await persistently(() => store.steps.settleTool(ref, { callId, name, ...result }));
    const fields = { end_user: call.endUser, tool: name, policy, outcome: result.outcome };
    logResult(logger, { ...stepFields(ref, startedAt), ...fields }, result);
    void letGo(dependencies, ref, name);
    return { outcome: result.outcome };
  } catch (error) {
    if (isCancelled(error)) void giveUp(dependencies, ref, { name, startedAt });
    throw error;
  } finally {
    appender.release(ref);
  }
}

function logResult(logger: Logger, fields: JsonObject, { error }: ToolResult): void {
  if (error?.reason !== 'tool_unavailable') logger.info('step', fields);
  else logger.warn('tool unavailable', { ...fields, error: error.message });
}

function claimOf(tools: Tools, ref: StepRef, { after, call }: RunToolInput): ClaimTool {
  const { callId, name, policy, timeoutMs } = call;
  const tool = tools.get(name);
  const compensable = tool?.compensate !== undefined;
  const undo = { compensable, compensateUnknown: tool?.compensateUnknown ?? false };
  return { ...ref, after, kind: 'tool', callId, name, policy, timeoutMs, ...undo };
}

/** What the step keeps for whoever undoes it is none of the workflow's business. */
function settledOutcome(result: Json): { outcome: ToolOutcome } {
  const { outcome } = result as { outcome: ToolOutcome };
  return { outcome };
}

/** Another attempt may come for what the tool keeps of a call that was told to stop, unless its turn has ended. */
async function giveUp(
  dependencies: Dependencies,
  ref: StepRef,
  { name, startedAt }: { name: string; startedAt: number },
): Promise<void> {
  const { store, logger } = dependencies;
  logger.info('tool call given up', { ...stepFields(ref, startedAt), tool: name });
  const turn = await store.turns.get(ref.tenant, ref.turnId).catch(() => null);
  if (turn?.state === 'sealed') await letGo(dependencies, ref, name);
}

/** Nobody waits for it: what a tool does not let go of now is its own reaper's. */
async function letGo({ tools, logger }: Dependencies, ref: StepRef, name: string): Promise<void> {
  try {
    await tools.get(name)?.settled?.({ key: idempotencyKey(ref) });
  } catch (error) {
    const { tenant, turnId: turn, step } = ref;
    logger.warn('tool did not let go', { tenant, turn, step, tool: name, error: messageOf(error) });
  }
}

interface BegunCall {
  input: RunToolInput;
  call: ToolCall;
  begun: Extract<BegunStep, { state: 'open' }>;
}

async function resultOf(
  dependencies: Dependencies,
  ref: StepRef,
  { input, call, begun }: BegunCall,
): Promise<ToolResult> {
  const { appender } = dependencies;
  const tools = dependencies.tools.including(call.clientTools);
  const { callId, name, policy, timeoutMs } = input.call;
  const tool = tools.get(name);
  const attempt = begun.earlierAttempts + 1;
  if (!tool || (policy === null && isRunnable(tool))) return notThere(input.call, attempt);
  const args = argumentsOf(tools, name, call);
  if ('mistake' in args) return failed(args.mistake);
  if (!isRunnable(tool) || policy === null) return notThere(input.call, attempt);
  const { conversationId, endUser } = call;
  const turn = { tenant: ref.tenant, turnId: ref.turnId, conversationId, endUser };
  const progress = (message: string) => tellProgress(appender, ref, { callId, message });
  const context = { key: idempotencyKey(ref), progress, turn };
  const run = { tool, tools, policy, args: args.value, attempt, timeoutMs, context };
  const result = await (attempt > 1 ? runAgain(run) : runOnce(run));
  if (call.editedArguments === null) return result;
  return { ...result, output: notingEdit(result.output, call.editedArguments) };
}

/** An attempt before may have been with a worker that had it. */
function notThere({ name, policy }: ToolCallRef, attempt: number): ToolResult {
  if (policy !== null && attempt > 1) return unknown(name);
  return failed({ type: 'unknown_tool', message: `There is no tool named ${name}.` });
}

function argumentsOf(tools: Tools, name: string, { item, editedArguments }: ToolCall) {
  const edited = editedArguments && JSON.stringify(editedArguments);
  return readArguments(tools, name, edited ?? item['arguments']);
}

/** What readers miss of a tool's progress is no reason to disturb the tool. */
function tellProgress(
  appender: Appender,
  ref: StepRef,
  { callId, message }: { callId: string; message: unknown },
): void {
  try {
    appender.append(ref, { type: 'turn.tool_progress', call_id: callId, message: String(message) });
  } catch {
    // The step is lost: settling it is refused as well, and that is told.
  }
}
