import { APIConnectionError, APIConnectionTimeoutError, APIError, APIUserAbortError } from 'openai';
import type { JsonObject } from '../contracts/json.ts';
import type { ModelErrorKind, ModelEvent } from '../contracts/model.ts';
import { ModelError } from '../contracts/model.ts';
import { wasNotConnected } from './unsent.ts';

interface Verdict {
  kind: ModelErrorKind;
  retryable: boolean;
}

/** What is known beside the error itself. */
export interface FailureContext {
  /** Strings that must not appear in a message, the API key above all. */
  secrets?: readonly string[];
  /** Request id of the call, for errors that don't carry it. */
  requestId?: string | null;
}

const MAX_MESSAGE_LENGTH = 500;

const retry = (kind: ModelErrorKind): Verdict => ({ kind, retryable: true });
const giveUp = (kind: ModelErrorKind): Verdict => ({ kind, retryable: false });

/** Codes of error bodies, `error` events and `response.error`, as OpenAI documents them. */
const BY_CODE = new Map<string, Verdict>([
  ['rate_limit_exceeded', retry('rate_limited')],
  ['insufficient_quota', giveUp('quota_exceeded')],
  ['billing_hard_limit_reached', giveUp('quota_exceeded')],
  ['server_error', retry('server_error')],
  ['vector_store_timeout', retry('server_error')],
  ['context_length_exceeded', giveUp('context_length')],
  ['model_not_found', giveUp('model_not_found')],
  ['invalid_api_key', giveUp('authentication')],
  ['invalid_prompt', giveUp('content_filter')],
  ['content_filter', giveUp('content_filter')],
  ['content_policy_violation', giveUp('content_filter')],
  ['image_content_policy_violation', giveUp('content_filter')],
  ['bio_policy', giveUp('content_filter')],
  ['data_residency_mismatch', giveUp('invalid_request')],
]);

const TIMEOUT_CODES = new Set([
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/** Classifies whatever a model call was thrown out with: the one place that decides what is worth another attempt. */
export function classifyModelFailure(error: unknown, context: FailureContext = {}): ModelError {
  if (error instanceof ModelError) return error;
  if (isAnswered(error)) return fromApiError(error, context);
  const verdict = transportVerdict(error);
  const unsent = verdict.kind === 'invalid_request' || wasNotConnected(rootCause(error));
  return modelError(verdict, describeTransport(error), { ...context, unsent });
}

/** The failure that an `error` or `response.failed` event reports; null for every other event. */
export function classifyFailedEvent(event: ModelEvent, context: FailureContext): ModelError | null {
  const report = failureReport(event);
  if (report === null) return null;
  const code = text(report['code']);
  const message = text(report['message']) ?? 'no message';
  const verdict = codeVerdict(code, text(report['type'])) ?? retry('server_error');
  return modelError(verdict, `The model call failed (${code ?? 'no code'}): ${message}`, {
    ...context,
    responseEnded: event.type === 'response.failed',
  });
}

function failureReport(event: ModelEvent): JsonObject | null {
  if (event.type === 'error')
    return { code: event['code'] ?? null, message: event['message'] ?? null };
  if (event.type !== 'response.failed') return null;
  return record(record(event['response'])?.['error']) ?? {};
}

/** Tells errors the server sent from those the SDK raises by itself, which are of the same class. */
function isAnswered(error: unknown): error is APIError {
  if (!(error instanceof APIError)) return false;
  return !(error instanceof APIConnectionError || error instanceof APIUserAbortError);
}

function fromApiError(error: APIError, context: FailureContext): ModelError {
  const headers = error.headers;
  const subject =
    error.status === undefined
      ? `The model call failed (${text(error.code) ?? 'no code'})`
      : `The model server answered ${String(error.status)}`;
  return modelError(apiVerdict(error), `${subject}: ${bodyMessage(error)}`, {
    ...context,
    status: error.status ?? null,
    requestId: error.requestID ?? null,
    retryAfterMs: headers === undefined ? null : retryAfterMs(headers),
  });
}

function apiVerdict(error: APIError): Verdict {
  const verdict =
    codeVerdict(text(error.code), text(error.type)) ?? statusVerdict(error.status, error);
  // No wait brings money back: a server that asks for a retry all the same isn't believed.
  if (verdict.kind === 'quota_exceeded') return verdict;
  const asked = error.status === undefined ? null : error.headers?.get('x-should-retry');
  if (asked === 'true') return { ...verdict, retryable: true };
  if (asked === 'false') return { ...verdict, retryable: false };
  return verdict;
}

function codeVerdict(code: string | null, type: string | null): Verdict | null {
  for (const name of [code, type]) {
    const verdict = name === null ? undefined : BY_CODE.get(name);
    if (verdict !== undefined) return verdict;
  }
  // `invalid_image`, `image_too_large`, `empty_image_file`, …
  return code?.includes('image') ? giveUp('invalid_request') : null;
}

function statusVerdict(status: number | undefined, error: APIError): Verdict {
  if (status === undefined) {
    return error.type === 'invalid_request_error'
      ? giveUp('invalid_request')
      : retry('server_error');
  }
  if (status === 429) return retry('rate_limited');
  if (status === 408 || status === 409 || status >= 500) return retry('server_error');
  if (status === 401 || status === 403) return giveUp('authentication');
  return giveUp(refusalKind(status, error));
}

/** Servers other than OpenAI's leave the code out, or put the status there: the message tells. */
function refusalKind(status: number, error: APIError): ModelErrorKind {
  const message = bodyMessage(error);
  if (status === 404 && (error.param === 'model' || /\bmodel\b/i.test(message)))
    return 'model_not_found';
  if (/maximum context length|context window/i.test(message)) return 'context_length';
  return 'invalid_request';
}

function transportVerdict(error: unknown): Verdict {
  if (error instanceof APIUserAbortError || nameOf(error) === 'AbortError')
    return giveUp('aborted');
  if (error instanceof APIConnectionTimeoutError) return retry('timeout');
  const root = rootCause(error);
  if (TIMEOUT_CODES.has(codeOf(root))) return retry('timeout');
  if (codeOf(root) === 'ERR_ENCODING_INVALID_ENCODED_DATA') return retry('protocol');
  // fetch reports a broken connection as a TypeError with a cause; without one the request could not even be built.
  if (error instanceof TypeError && root === error) return giveUp('invalid_request');
  if (error instanceof TypeError || error instanceof APIConnectionError) return retry('connection');
  return retry('protocol');
}

function describeTransport(error: unknown): string {
  const { kind } = transportVerdict(error);
  if (kind === 'aborted') return 'The model call was aborted by its caller.';
  const root = rootCause(error);
  const detail = root instanceof Error ? root.message || codeOf(root) : String(root);
  if (kind === 'protocol') return `The model server sent something that cannot be read: ${detail}`;
  if (kind === 'invalid_request')
    return `The request to the model server could not be sent: ${detail}`;
  return `The connection to the model server failed: ${detail}`;
}

function modelError(
  verdict: Verdict,
  message: string,
  context: FailureContext & {
    status?: number | null;
    retryAfterMs?: number | null;
    responseEnded?: boolean;
    unsent?: boolean;
  },
): ModelError {
  // No cause: causes end up in logs and workflow histories, with whatever the server echoed of the request.
  return new ModelError(verdict.kind, sentence(redact(message, context.secrets ?? [])), {
    retryable: verdict.retryable,
    retryAfterMs: context.retryAfterMs ?? null,
    status: context.status ?? null,
    requestId: context.requestId ?? null,
    responseEnded: context.responseEnded ?? false,
    unsent: context.unsent ?? false,
  });
}

/** Shorter ones are placeholders of servers that need no key, and words of their messages. */
const MIN_SECRET_LENGTH = 8;

function redact(message: string, secrets: readonly string[]): string {
  const known = secrets
    .filter((secret) => secret.length >= MIN_SECRET_LENGTH)
    .reduce((clean, secret) => clean.replaceAll(secret, '[redacted]'), message);
  return known.replace(/\bsk-[\w*.…-]+|(?<=\bBearer )\S+/g, '[redacted]');
}

function sentence(message: string): string {
  const short =
    message.length > MAX_MESSAGE_LENGTH
      ? `${message.slice(0, MAX_MESSAGE_LENGTH)}…`
      : message.trim();
  return /[.!?…]$/.test(short) ? short : `${short}.`;
}

/** `retry-after-ms`, else `retry-after` in seconds or as an HTTP date. */
function retryAfterMs(headers: Headers): number | null {
  const ms = Number.parseFloat(headers.get('retry-after-ms') ?? '');
  if (!Number.isNaN(ms)) return Math.max(0, ms);
  const header = headers.get('retry-after') ?? '';
  const asked = /^\s*\d/.test(header)
    ? Number.parseFloat(header) * 1_000
    : Date.parse(header) - Date.now();
  return Number.isNaN(asked) ? null : Math.max(0, asked);
}

function bodyMessage(error: APIError): string {
  return text(record(error.error)?.['message']) ?? error.message.replace(/^\d{3} /, '');
}

function rootCause(error: unknown): unknown {
  let root = error;
  for (let depth = 0; depth < 8 && root instanceof Error && root.cause instanceof Error; depth++) {
    root = root.cause;
  }
  return root;
}

function codeOf(error: unknown): string {
  return text(record(error)?.['code']) ?? '';
}

function nameOf(error: unknown): string {
  return text(record(error)?.['name']) ?? '';
}

function record(value: unknown): JsonObject | null {
  return typeof value === 'object' && value !== null ? (value as JsonObject) : null;
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
