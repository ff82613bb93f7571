import type { JsonObject } from './json.ts';

/** Every error a caller can meet, and what to do about it. docs/errors.md is held against this table. */
export const ERROR_CODES = {
  invalid_request: 'Correct the field that the message names.',
  input_empty: 'Send at least one input item with content.',
  input_too_large: 'Send less, or raise the limit that the message names.',
  assistant_not_found: 'Check the id; ids of other tenants are unknown too.',
  conversation_not_found: 'Check the id; ids of other tenants are unknown too.',
  turn_not_found: 'Check the id; ids of other tenants are unknown too.',
  document_not_found: 'Check the id; ids of other tenants are unknown too.',
  file_not_found: 'Check the id; ids of other tenants are unknown too.',
  action_not_found: 'Check the call id; `turns.actions` lists those of a turn.',
  actions_missing: 'Decide the calls in details.missing too, or submit with `partial: true`.',
  submission_conflict: 'Leave it at what was submitted first; `turns.actions` tells.',
  turn_not_waiting: 'Look at the turn: it takes submissions while it is in `requires_action`.',
  turn_not_retryable:
    'Start a new turn, or edit one: only the last turn of a conversation can be made again.',
  compensation_running: 'Wait until the compensation is closed, then try again.',
  conversation_busy:
    'Wait for the active turn (details.activeTurn) or cancel it, then start again.',
  queue_full: 'Try again later, or raise TURNKEEPER_MAX_QUEUED_TURNS.',
  idempotency_conflict: 'Use a new key for a new request; this key was used with another one.',
  invalid_cursor: 'Pass `nextCursor` of an earlier page unchanged.',
  invalid_schema: 'Mend the JSON Schema that the message names.',
  invalid_tool: 'Mend the tool definition that the message names.',
  duplicate_tool: 'Give each tool a name of its own.',
  document_rejected: 'Send text or Markdown as valid UTF-8, within the size limit.',
  route_not_found: 'Check method and path; docs/http.md lists the routes.',
  origin_refused: 'Send it from a page of this server, or from a program that is no browser.',
  too_many_streams: 'Try again later, ask another server, or raise TURNKEEPER_MAX_STREAMS.',
  key_gone: 'Nothing helps: the conversation was deleted, and its history with it.',
  payload_unreadable:
    'Find out who writes to this namespace of Temporal, and give all processes the same keys.',
  internal_error: 'Try again; the log of the server says what happened.',
  invalid_setting: 'Correct the setting that the message names; docs/configuration.md lists them.',
  missing_setting: 'Set what the message names; docs/configuration.md lists the settings.',
  database_unreachable:
    'Check that PostgreSQL runs where DATABASE_URL says; where npm start runs the database itself, start that again.',
  database_too_new:
    'Run a Turnkeeper release at least as new as the one that migrated this database.',
  index_unreachable: 'Check QDRANT_URL and QDRANT_API_KEY, and that Qdrant is running there.',
  index_mismatch:
    'Give the embedding space a name of its own, or remove what the message names and add the documents again.',
  sandbox_unavailable:
    'Install what the message names, or set TURNKEEPER_SANDBOX=none to work without a sandbox.',
  temporal_unreachable:
    'Check TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE, and that Temporal is running there.',
  temporal_cli_missing: 'Install the Temporal CLI, or name it with TEMPORAL_CLI_PATH.',
  data_dir_in_use: 'Stop the process that uses the data directory, or choose another one.',
  service_failed:
    'Read the output of the part that the message names; it ended or did not get ready.',
  history_replay_failed: 'Undo the incompatible workflow change, or guard it with patched().',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** The one error class of the public surface. `code` is stable; the message says what is wrong and what to do. */
export class TurnkeeperError extends Error {
  readonly code: ErrorCode;
  readonly details: JsonObject;
  constructor(code: ErrorCode, message: string, details: JsonObject = {}, cause?: unknown) {
    super(`${message} ${ERROR_CODES[code]}`, cause === undefined ? undefined : { cause });
    this.name = 'TurnkeeperError';
    this.code = code;
    this.details = details;
  }
}

export function isTurnkeeperError(error: unknown, code?: ErrorCode): error is TurnkeeperError {
  return error instanceof TurnkeeperError && (code === undefined || error.code === code);
}
