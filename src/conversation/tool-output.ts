import type { Json } from '../contracts/json.ts';

/** docs/errors.md is held against this list. */
export const TOOL_ERRORS = [
  'unknown_tool',
  'invalid_json',
  'invalid_arguments',
  'tool_error',
  'tool_unavailable',
  'invalid_output',
  'timeout',
  'outcome_unknown',
  'not_started',
  'denied',
  'undone',
] as const;

/** What went wrong with a tool call, in the form the model reads it. */
export interface ToolErrorOutput {
  type: (typeof TOOL_ERRORS)[number];
  message: string;
  details?: Json;
}

export function errorOutput(error: ToolErrorOutput): string {
  return JSON.stringify({ error });
}

/** Strings go to the model as they are, everything else as JSON. */
export function resultOutput(result: Json): string {
  return typeof result === 'string' ? result : JSON.stringify(result);
}

export function unknownOutcome(name: string): ToolErrorOutput {
  return {
    type: 'outcome_unknown',
    message:
      `${name} was started, but it is not known whether it took effect. It was not started again. ` +
      'Do not assume either way; tell the user, or check by other means.',
  };
}

/** For a call that its turn ended over. */
export function openCallOutput(started: boolean): string {
  return errorOutput(
    started
      ? unknownOutcome('The tool')
      : { type: 'not_started', message: 'The turn ended before this tool was started.' },
  );
}
