import type { JsonObject } from '../../contracts/json.ts';

/** An answer with OpenAI's error body. */
export class ApiError extends Error {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
  constructor(
    status: number,
    message: string,
    details: {
      type?: string;
      param?: string | null;
      code?: string | null;
      headers?: Record<string, string>;
    } = {},
  ) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.headers = details.headers ?? {};
    this.type = details.type ?? 'invalid_request_error';
    this.param = details.param ?? null;
    this.code = details.code ?? null;
  }

  body(): JsonObject {
    return {
      error: { message: this.message, type: this.type, param: this.param, code: this.code },
    };
  }
}

export function badRequest(message: string, param: string | null = null): ApiError {
  return new ApiError(400, message, { param });
}

/** Refuses the one model name that stands for all that don't exist. */
export function checkModel(model: string): void {
  if (model !== 'no-such-model') return;
  throw new ApiError(
    404,
    `The model \`${model}\` does not exist or you do not have access to it.`,
    {
      code: 'model_not_found',
    },
  );
}
