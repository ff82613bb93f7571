import { TurnkeeperError } from '../contracts/errors.ts';
import type { Json, JsonObject } from '../contracts/json.ts';
import type { Decision, Turn } from '../contracts/store.ts';
import { MAX_TOOL_OUTPUT_CHARACTERS } from '../contracts/tools.ts';
import { deniedOutput } from '../conversation/action-output.ts';
import { resultOutput } from '../conversation/tool-output.ts';
import { wakeOrLeave } from '../recovery/wake.ts';
import {
  boolean,
  jsonObject,
  jsonValue,
  label,
  list,
  optional,
  refuse,
  shape,
  text,
  type Check,
} from './checks.ts';
import { mistakesIn } from './json-schema.ts';
import type { Parts } from './parts.ts';
import { checkSize, requestHash } from './requests.ts';

export interface SubmitActions {
  outputs?: SubmittedOutput[];
  approvals?: Approval[];
  /** Other calls of the turn may go on waiting; else all of them have to be decided. */
  partial?: boolean;
}

/** What a tool came to that the caller ran: any JSON. A string goes to the model as it is. */
export interface SubmittedOutput {
  callId: string;
  output: Json;
}

export type Approval =
  /** `arguments`: the tool is given these instead, and the model is told so. */
  | { callId: string; approve: true; arguments?: JsonObject }
  /** The model is told the reason. With `compensate` what the turn has done is undone once it ends. */
  | { callId: string; approve: false; reason?: string; compensate?: boolean };

const MAX_REASON_CHARACTERS = 2_000;
/** As many as one reply of a model may have. */
const MAX_CALLS = 128;

const anything: Check = () => undefined;
const checkReason: Check = (value, path) => {
  text(value, path);
  const { length } = value as string;
  if (length > MAX_REASON_CHARACTERS)
    refuse(path, `must have at most ${MAX_REASON_CHARACTERS} characters, not ${length}`);
};
const checkYes = shape({
  callId: label,
  approve: anything,
  arguments: optional(jsonObject),
});
const checkNo = shape({
  callId: label,
  approve: anything,
  reason: optional(checkReason),
  compensate: optional(boolean),
});
const checkApproval: Check = (value, path) => {
  const { approve } = (value ?? {}) as Record<string, unknown>;
  boolean(approve, `${path}.approve`);
  (approve ? checkYes : checkNo)(value, path);
};
const checkSubmission = shape({
  outputs: optional(list(shape({ callId: label, output: jsonValue }), { max: MAX_CALLS })),
  approvals: optional(list(checkApproval, { max: MAX_CALLS })),
  partial: optional(boolean),
});

/** Stores what the caller decided, and tells the turn to go on. From the first of these on nothing is lost. */
export async function submitActions(
  parts: Parts,
  turnId: string,
  submission: SubmitActions,
): Promise<Turn> {
  const { store, tenant, limits } = parts;
  checkSubmission(submission, '');
  checkSize(submission, 'submission', 'maxInputBytes', limits);
  const { outputs = [], approvals = [], partial = false } = submission;
  const decisions = [...outputs.map(answered), ...approvals.map(decided)];
  requireDistinct(decisions);
  for (const [index, approval] of approvals.entries())
    await checkEdit(parts, turnId, approval, `approvals[${index}].arguments`);
  const turn = await store.actions.submit(tenant, turnId, { decisions, partial });
  await wakeOrLeave(parts, turn);
  return turn;
}

function answered({ callId, output }: SubmittedOutput, index: number): Decision {
  const told = resultOutput(output);
  if (told.length > MAX_TOOL_OUTPUT_CHARACTERS) {
    const [max, actual] = [MAX_TOOL_OUTPUT_CHARACTERS, told.length];
    const message = `outputs[${index}].output has ${actual} characters, over ${max}.`;
    throw new TurnkeeperError('input_too_large', message, { limit: 'output', max, actual });
  }
  return { callId, hash: requestHash({ output }), state: 'answered', output: told };
}

function decided(approval: Approval): Decision {
  const { callId, ...rest } = approval;
  // What is the default anyway is the same decision with and without it.
  const hash = requestHash(rest.approve || rest.compensate ? rest : { ...rest, compensate: false });
  if (approval.approve) {
    return { callId, hash, state: 'approved', editedArguments: approval.arguments ?? null };
  }
  const { reason = null, compensate = false } = approval;
  return { callId, hash, state: 'denied', reason, compensate, output: deniedOutput(reason) };
}

function requireDistinct(decisions: Decision[]): void {
  const ids = decisions.map(({ callId }) => callId);
  if (ids.length === 0) refuse('outputs', 'and approvals are both empty');
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) refuse('callId', `${JSON.stringify(twice)} is decided twice`);
}

/** Against the schema that the model was given; calls that are not known the store refuses. */
async function checkEdit(
  { store, tenant }: Parts,
  turnId: string,
  approval: Approval,
  field: string,
): Promise<void> {
  if (!approval.approve || approval.arguments === undefined) return;
  const schema = await store.actions.parametersOf(tenant, turnId, approval.callId);
  const mistakes = schema && mistakesIn(approval.arguments, schema);
  if (!mistakes) return;
  const message = `${field} does not fit the schema of the tool: ${mistakes.join('; ')}.`;
  throw new TurnkeeperError('invalid_request', message, { field, mistakes });
}
