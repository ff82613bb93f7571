import { TurnkeeperError } from '../contracts/errors.ts';
import type { ToolDefinition } from '../contracts/tools.ts';
import type { ToolPolicy } from '../contracts/turn.ts';

const NAME = /^[a-zA-Z0-9_-]{1,64}$/;
const POLICIES: readonly ToolPolicy[] = ['idempotent', 'at-most-once', 'reconcilable'];
/** A day: longer work belongs into a workflow of its own. */
const MAX_TIMEOUT_MS = 86_400_000;

/** Checks what the type system cannot, or did not because the caller writes JavaScript. */
export function checkDefinition(definition: ToolDefinition): void {
  const { name, description, policy, timeoutMs } = definition;
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw invalid(name, 'needs a name of 1 to 64 characters of a–z, A–Z, 0–9, _ and -');
  }
  if (typeof description !== 'string' || description.trim() === '') {
    throw invalid(name, 'needs a description');
  }
  if (!POLICIES.includes(policy)) {
    throw invalid(
      name,
      `has the policy ${JSON.stringify(policy)}, which is none of ${POLICIES.join(', ')}`,
    );
  }
  if (timeoutMs !== undefined && !isTimeout(timeoutMs)) {
    throw invalid(
      name,
      `has a timeoutMs of ${timeoutMs}, which is not an integer of 1 to ${MAX_TIMEOUT_MS}`,
    );
  }
  checkFunctions(definition);
}

function isTimeout(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= MAX_TIMEOUT_MS;
}

function checkFunctions(definition: ToolDefinition): void {
  const { name, policy } = definition;
  if (definition.run !== undefined && typeof definition.run !== 'function') {
    throw invalid(name, 'has a run that is not a function');
  }
  checkApproval(definition);
  if (definition.compensate !== undefined && typeof definition.compensate !== 'function') {
    throw invalid(name, 'has a compensate that is not a function');
  }
  checkCompensateUnknown(definition);
  if (policy === 'reconcilable' && typeof definition.reconcile !== 'function') {
    throw invalid(name, 'is reconcilable and needs a reconcile function');
  }
}

function checkCompensateUnknown(definition: ToolDefinition): void {
  const { name, compensateUnknown } = definition;
  if (compensateUnknown === undefined) return;
  if (typeof compensateUnknown !== 'boolean') {
    throw invalid(name, 'has a compensateUnknown that is neither true nor false');
  }
  if (compensateUnknown && !definition.compensate) {
    throw invalid(name, 'is to undo what is unknown and needs a compensate function');
  }
}

function checkApproval(definition: ToolDefinition): void {
  const { name, approval } = definition;
  if (approval === undefined) return;
  if (approval !== 'always' && typeof approval !== 'function') {
    throw invalid(name, 'has an approval that is neither "always" nor a function');
  }
  if (!definition.run) throw invalid(name, 'has an approval and no run: whoever runs it decides');
}

function invalid(name: string, mistake: string): TurnkeeperError {
  return new TurnkeeperError('invalid_tool', `Tool ${JSON.stringify(name)} ${mistake}.`, {
    tool: name,
  });
}
