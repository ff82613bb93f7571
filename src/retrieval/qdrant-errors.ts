import {
  QdrantClientResourceExhaustedError,
  QdrantClientTimeoutError,
} from '@qdrant/js-client-rest';
import { TurnkeeperError } from '../contracts/errors.ts';

/** An answer of Qdrant's that says no. */
interface Refusal {
  status: number;
  reason: string;
}

/**
 * Runs a request. It rejects with `index_unreachable` while Qdrant does not answer, is not well or refuses the key, all of
 * which may pass; with Qdrant's own words when it refuses the request.
 */
export async function asking<T>(host: string, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    if (error instanceof TurnkeeperError) throw error;
    const refusal = refusalOf(error);
    if (refusal && !isOutage(refusal)) {
      throw new Error(`Qdrant at ${host} refuses: ${refusal.reason}`, { cause: error });
    }
    const reason = refusal ? `answers ${refusal.reason}` : `does not answer: ${reasonOf(error)}`;
    throw unreachable(host, reason, error);
  }
}

/** Whether `asking` was refused because the collection is not there: it was removed, or the server lost its data. */
export function saysMissing(error: unknown): boolean {
  return error instanceof Error && refusalOf(error.cause)?.status === 404;
}

export function unreachable(host: string, reason: string, cause: unknown): TurnkeeperError {
  return new TurnkeeperError('index_unreachable', `Qdrant at ${host} ${reason}.`, { host }, cause);
}

/** Null when the error is not an answer at all. */
export function refusalOf(error: unknown): Refusal | null {
  if (error instanceof QdrantClientResourceExhaustedError) {
    return { status: 429, reason: '429 Too Many Requests' };
  }
  if (!(error instanceof Error) || !('status' in error)) return null;
  const { status, data, message } = error as Error & { status: number; data?: unknown };
  return { status, reason: `${status} ${wordsOf(data) ?? message}`.trim() };
}

function isOutage({ status }: Refusal): boolean {
  return status >= 500 || [401, 403, 408, 429].includes(status);
}

/** Qdrant says `{"status": {"error": "…"}}`; a proxy in front of it, anything. */
function wordsOf(data: unknown): string | null {
  const { status } = (data ?? {}) as { status?: { error?: unknown } };
  return typeof status?.error === 'string' ? status.error : null;
}

/** `fetch failed` says nothing; its cause does. */
function reasonOf(error: unknown): string {
  if (error instanceof QdrantClientTimeoutError) return 'time is up';
  if (!(error instanceof Error)) return String(error);
  const { message, code } = (error.cause ?? error) as { message: string; code?: unknown };
  return message || String(code);
}
