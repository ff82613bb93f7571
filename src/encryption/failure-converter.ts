import {
  ApplicationFailure,
  DefaultFailureConverter,
  type FailureConverter,
} from '@temporalio/common';
import { inWorkflowContext } from '@temporalio/workflow';

const encoding = new DefaultFailureConverter({ encodeCommonAttributes: true });
const plain = new DefaultFailureConverter();

/**
 * Puts messages and stacks of activities' failures into a payload, which the codec encrypts. Workflows say why they ended in
 * a word that is no content, and pass on failures of activities as they came: so those of a bundle made without this file
 * do the same. The SDK loads it by its path.
 */
export const failureConverter: FailureConverter = {
  errorToFailure(error, payloads, context) {
    if (inWorkflowContext()) return plain.errorToFailure(error, payloads, context);
    if (context) return encoding.errorToFailure(error, payloads, context);
    return plain.errorToFailure(withheld(error), payloads);
  },
  failureToError: (...args) => plain.failureToError(...args),
};

/**
 * Why a workflow task failed. The SDK says of which workflow to its log alone, so that there is no key to encrypt it with,
 * and it ends a worker that cannot encode it.
 */
function withheld(error: unknown): ApplicationFailure {
  const { name: type, message, stack = '' } = error instanceof Error ? error : new Error();
  // Our own messages have no content. By name: the SDK may load this file a second time, with classes of its own.
  const told = type === 'TurnkeeperError' ? message : 'The message is withheld.';
  const failure = ApplicationFailure.create({ type, message: told });
  failure.stack = stack.split('\n').filter(isFrame).join('\n');
  return failure;
}

const isFrame = (line: string): boolean => /^\s+at .*[:\d]\)?$/.test(line);
