import { TurnkeeperError, type ErrorCode } from '../contracts/errors.ts';
import type { JsonObject } from '../contracts/json.ts';

/** HTTP status of each error. On a WebSocket 4000 is added, and 500 and above are 1011. */
export const STATUS: Readonly<Record<ErrorCode, number>> = {
  invalid_request: 400,
  input_empty: 400,
  invalid_cursor: 400,
  invalid_schema: 400,
  invalid_tool: 400,
  duplicate_tool: 400,
  origin_refused: 403,
  route_not_found: 404,
  assistant_not_found: 404,
  conversation_not_found: 404,
  turn_not_found: 404,
  document_not_found: 404,
  file_not_found: 404,
  action_not_found: 404,
  actions_missing: 409,
  submission_conflict: 409,
  turn_not_waiting: 409,
  turn_not_retryable: 409,
  compensation_running: 409,
  conversation_busy: 409,
  idempotency_conflict: 409,
  input_too_large: 413,
  document_rejected: 422,
  queue_full: 429,
  key_gone: 500,
  payload_unreadable: 500,
  internal_error: 500,
  invalid_setting: 500,
  missing_setting: 500,
  database_too_new: 500,
  index_mismatch: 500,
  sandbox_unavailable: 500,
  temporal_cli_missing: 500,
  data_dir_in_use: 500,
  service_failed: 500,
  history_replay_failed: 500,
  database_unreachable: 503,
  index_unreachable: 503,
  temporal_unreachable: 503,
  too_many_streams: 503,
};

/** What every refusal looks like on the wire. */
export interface ErrorBody {
  error: { code: ErrorCode; message: string; details?: JsonObject };
}

export function errorBody({ code, message, details }: TurnkeeperError): ErrorBody {
  const known = Object.keys(details).length > 0;
  return { error: { code, message, ...(known && { details }) } };
}

/** Whatever was thrown while a request was served. What nobody expected tells nothing of itself. */
export function toTurnkeeperError(error: unknown, maxBodyBytes?: number): TurnkeeperError {
  if (error instanceof TurnkeeperError) return error;
  const { statusCode, validation, message } = (error ?? {}) as HttpError;
  if (validation) return invalidField(validation[0]);
  if (statusCode === 413) return tooLarge(maxBodyBytes);
  if (statusCode === 415)
    return new TurnkeeperError('invalid_request', NOT_JSON, { field: 'content-type' });
  if (statusCode !== undefined && statusCode < 500) return refusedByServer(message);
  return new TurnkeeperError('internal_error', 'The server made a mistake.', {}, error);
}

const NOT_JSON = 'The body must be JSON, sent with the header content-type: application/json.';

/** As Fastify throws them. */
interface HttpError {
  statusCode?: number;
  validation?: FieldError[];
  message?: string;
}

interface FieldError {
  instancePath: string;
  message?: string;
  params?: Record<string, unknown>;
}

function invalidField(error: FieldError | undefined): TurnkeeperError {
  const { instancePath = '', message = 'is wrong', params = {} } = error ?? {};
  const unknown = params['additionalProperty'];
  const field = typeof unknown === 'string' ? unknown : instancePath.slice(1) || 'request';
  const mistake = unknown === undefined ? message : 'is not a known field';
  return new TurnkeeperError('invalid_request', `${field} ${mistake}.`, { field });
}

function tooLarge(max: number | undefined): TurnkeeperError {
  const details = { limit: 'body', ...(max !== undefined && { max }) };
  const over = max === undefined ? 'too large' : `over ${max} bytes`;
  return new TurnkeeperError('input_too_large', `The request's body is ${over}.`, details);
}

function refusedByServer(message = 'The request is not valid HTTP'): TurnkeeperError {
  const text = `${message.replace(/\.$/, '')}.`;
  return new TurnkeeperError('invalid_request', text, { field: 'request' });
}
