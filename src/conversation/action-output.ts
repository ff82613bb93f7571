import type { ActionKind } from '../contracts/actions.ts';
import type { JsonObject } from '../contracts/json.ts';
import { errorOutput } from './tool-output.ts';

/** What the model is told of a call that nobody approved. */
export function deniedOutput(reason: string | null): string {
  const because = reason === null ? 'No reason was given.' : `The reason given: ${reason}`;
  const message = `This call was not approved, and the tool was not run. ${because}`;
  return errorOutput({ type: 'denied', message });
}

/** For a call that its turn ended over, before anybody had decided it. */
export function undecidedOutput(kind: ActionKind): string {
  return kind === 'approval'
    ? errorOutput({
        type: 'not_started',
        message: 'The turn ended before this call was approved; the tool was not run.',
      })
    : errorOutput({
        type: 'outcome_unknown',
        message:
          'The turn ended before an output was submitted. It is not known whether the tool was run. ' +
          'Do not assume either way; tell the user, or check by other means.',
      });
}

/** Puts before a tool's output that it was not run with what the model had asked for. */
export function notingEdit(output: string, edited: JsonObject): string {
  const ranWith = JSON.stringify(edited);
  return `Note: whoever approved this call changed its arguments. The tool was run with ${ranWith}\n\n${output}`;
}
