import type { Item, JsonObject } from './json.ts';

export interface ModelRequest {
  model: string;
  instructions?: string;
  input: Item[];
  tools: JsonObject[];
  text?: JsonObject;
  maxOutputTokens?: number;
  /** Who the end user is to the provider, at most 64 characters. */
  safetyIdentifier?: string;
  promptCacheKey?: string;
  /** Further parameters of `responses.create`. */
  options?: JsonObject;
}

/** A Responses stream event, verbatim; unknown types pass through. */
export type ModelEvent = JsonObject & { type: string };

export interface ModelStream {
  /** `x-request-id` of the answer, null when the server sent none. */
  requestId: string | null;
  /** Throws `ModelError`, also for `error` and `response.failed` events and when the stream ends without a terminal event. */
  events: AsyncIterable<ModelEvent>;
}

/** A server that speaks the Responses API. */
export interface Model {
  /** Starts one model call. Rejects with `ModelError`. Never retries by itself. */
  stream(request: ModelRequest, options: { signal: AbortSignal }): Promise<ModelStream>;
}

export type ModelErrorKind =
  | 'rate_limited'
  | 'quota_exceeded'
  | 'server_error'
  | 'connection'
  | 'timeout'
  | 'protocol'
  | 'invalid_request'
  | 'authentication'
  | 'model_not_found'
  | 'content_filter'
  | 'context_length'
  | 'aborted';

/** A failed model call, classified. */
export class ModelError extends Error {
  readonly kind: ModelErrorKind;
  readonly retryable: boolean;
  /** What the server asked for by `retry-after`, milliseconds. */
  readonly retryAfterMs: number | null;
  readonly status: number | null;
  readonly requestId: string | null;
  constructor(
    kind: ModelErrorKind,
    message: string,
    details: {
      retryable: boolean;
      retryAfterMs?: number | null;
      status?: number | null;
      requestId?: string | null;
      cause?: unknown;
    },
  ) {
    super(message, { cause: details.cause });
    this.name = 'ModelError';
    this.kind = kind;
    this.retryable = details.retryable;
    this.retryAfterMs = details.retryAfterMs ?? null;
    this.status = details.status ?? null;
    this.requestId = details.requestId ?? null;
  }
}
