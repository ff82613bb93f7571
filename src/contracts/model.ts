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
  /** Generated at the provider, whoever listens: `resume` goes on with it. */
  background?: boolean;
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

/** A response that the provider generates in the background. */
export interface BackgroundResponse {
  id: string;
  /** The model that was asked for. */
  model: string;
}

/**
 * A server that speaks the Responses API. Nothing is retried here. Methods reject with `ModelError`, of the kind
 * `response_lost` when the server does not know the response any more.
 */
export interface Model {
  /** Starts one model call. */
  stream(request: ModelRequest, options: { signal: AbortSignal }): Promise<ModelStream>;
  /** The events behind that sequence number. Refused with status 400 once the response is too old to be streamed. */
  resume(
    response: BackgroundResponse,
    options: { after: number; signal: AbortSignal },
  ): Promise<ModelStream>;
  /** The response object once it is completed or incomplete, null before. Rejects when it has failed or was cancelled. */
  poll(response: BackgroundResponse, options: { signal: AbortSignal }): Promise<JsonObject | null>;
  /**
   * Tells the provider to stop, and waits at most two seconds for it. Answers the response as it was stopped; null when
   * the provider does not know it any more.
   */
  cancel(response: BackgroundResponse): Promise<JsonObject | null>;
}

export type ModelErrorKind =
  | 'rate_limited'
  | 'quota_exceeded'
  | 'server_error'
  | 'connection'
  | 'timeout'
  | 'protocol'
  | 'response_lost'
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
  /** The server has said that the response has failed, was cancelled or is not known: nothing is left to be stopped. */
  readonly responseEnded: boolean;
  /** The request has certainly reached no server. */
  readonly unsent: boolean;
  constructor(
    kind: ModelErrorKind,
    message: string,
    details: {
      retryable: boolean;
      retryAfterMs?: number | null;
      status?: number | null;
      requestId?: string | null;
      responseEnded?: boolean;
      unsent?: boolean;
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
    this.responseEnded = details.responseEnded ?? false;
    this.unsent = details.unsent ?? false;
  }

  /** The server said no instead of beginning to answer, or was never asked. */
  get refused(): boolean {
    return this.status !== null || this.unsent;
  }
}
