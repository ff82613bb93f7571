import type { JsonObject } from '../contracts/json.ts';
import type { EffectToUndo, StepFailure, StepRef } from '../contracts/store.ts';
import type { ToolDefinition, Tools } from '../contracts/tools.ts';
import type { CompensateActivities, CompensateEffectInput } from '../contracts/turn.ts';
import { toolStep } from '../conversation/loop.ts';
import { idempotencyKey, persistently, stepRef, whileBeating } from './attempt.ts';
import type { ActivityDependencies } from './dependencies.ts';
import { messageOf, notUndone, throwingFailures } from './failures.ts';
import { stepFields } from './step-log.ts';
import { executeWithin } from './tool-execution.ts';

type Dependencies = Pick<ActivityDependencies, 'store' | 'tools' | 'logger'>;

/** With the workflow's pauses in between, about twenty minutes. */
const MAX_ATTEMPTS = 10;

export function createCompensate(dependencies: Dependencies): CompensateActivities {
  const { compensations } = dependencies.store;
  return {
    listEffects: ({ tenant, turnId }) =>
      throwingFailures(() => compensations.effects(tenant, turnId)),
    compensateEffect: (input) =>
      throwingFailures(() => whileBeating(() => compensateEffect(dependencies, input))),
    failCompensation: (input) => throwingFailures(() => failCompensation(dependencies, input)),
    closeCompensation: ({ tenant, turnId }) =>
      throwingFailures(() => compensations.close(tenant, turnId)),
  };
}

/** One effect: begun before it is undone, settled after. An attempt that fails leaves the step open for another one. */
async function compensateEffect(
  { store, tools, logger }: Dependencies,
  input: CompensateEffectInput,
): Promise<void> {
  const startedAt = Date.now();
  const ref = stepRef(input);
  const { callId, name } = input.effect;
  const begun = await store.compensations.begin({
    ...ref,
    after: input.after,
    callId,
    maxAttempts: MAX_ATTEMPTS,
  });
  if (begun.state === 'settled') return;
  // The one before would have been the last, and did not come to say so.
  if (begun.earlierAttempts >= MAX_ATTEMPTS) throw notUndone(INTERRUPTED, true);
  const effect = await store.compensations.loadEffect(ref, callId);
  const args = argumentsOf(tools, name, effect);
  if (!args) throw notUndone(unusableArguments(name), true);
  const failure = await undo(tools.get(name), ref, { input, effect, args });
  if (failure) throw notUndone(failure, begun.earlierAttempts + 1 >= MAX_ATTEMPTS);
  await persistently(() => store.compensations.settle(ref, null));
  const fields = { end_user: effect.endUser, tool: name, outcome: 'undone' };
  logger.info('step', { ...stepFields(ref, startedAt), ...fields });
}

const INTERRUPTED: StepFailure = {
  reason: 'interrupted',
  message: `The last of ${MAX_ATTEMPTS} attempts to undo it did not come to an end.`,
};

function unusableArguments(name: string): StepFailure {
  return {
    reason: 'invalid_arguments',
    message: `It is not known whether ${name} was run, and its arguments do not fit its schema.`,
  };
}

/** They were checked before the tool ran; where nobody knows whether it did, they may have never been. */
function argumentsOf(
  tools: Tools,
  name: string,
  { arguments: text, known }: EffectToUndo,
): JsonObject | null {
  try {
    const args = JSON.parse(text) as JsonObject;
    const fits = known || !tools.get(name) || !tools.checkArguments(name, args);
    return fits ? args : null;
  } catch {
    return null;
  }
}

interface Undoing {
  input: CompensateEffectInput;
  effect: EffectToUndo;
  args: JsonObject;
}

/** Answers what went wrong. */
async function undo(
  tool: ToolDefinition | undefined,
  ref: StepRef,
  { input, effect, args }: Undoing,
): Promise<StepFailure | null> {
  const { callId, name, timeoutMs } = input.effect;
  if (!tool?.compensate) {
    const message = `This worker has no tool ${name} that can undo what it did.`;
    return { reason: 'tool_not_registered', message };
  }
  const context = contextOf(ref, effect);
  const runKey = idempotencyKey({ turnId: ref.turnId, step: toolStep(callId) });
  const execution = await executeWithin(timeoutMs, context, (full) =>
    tool.compensate?.(args, effect.output, { ...full, runKey }),
  );
  switch (execution.kind) {
    case 'returned':
      return null;
    case 'threw':
      return { reason: 'compensation_failed', message: messageOf(execution.error) };
    case 'timed_out':
      return { reason: 'timeout', message: `${name} did not undo it within ${timeoutMs} ms.` };
  }
}

/** The turn's stream has ended: progress goes nowhere. */
function contextOf(ref: StepRef, { conversationId, endUser }: EffectToUndo) {
  const { tenant, turnId } = ref;
  const turn = { tenant, turnId, conversationId, endUser };
  return { key: idempotencyKey(ref), progress: () => undefined, turn };
}

async function failCompensation(
  { store, logger }: Dependencies,
  { reason, message, ...input }: Parameters<CompensateActivities['failCompensation']>[0],
): Promise<void> {
  const ref = stepRef(input);
  const { callId, name } = input.effect;
  const begun = await store.compensations.begin({
    ...ref,
    after: input.after,
    callId,
    maxAttempts: 0,
  });
  const settled = begun.state === 'settled';
  // Its last attempt has undone it, and nobody heard of that.
  if (settled && begun.status === 'completed') return;
  const failure = { reason, message: messageOf(message) };
  if (!settled) await store.compensations.settle(ref, failure);
  // Also when it was settled before: whoever did that may have died before it came to this.
  const { tenant, turnId: turn, step } = ref;
  logger.error('effect not undone', { tenant, turn, step, tool: name, ...failure });
}
