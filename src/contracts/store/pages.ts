/** Idempotency key and the fingerprint of the request it came with. */
export interface RequestKey {
  key: string;
  requestHash: string;
}

export interface Page<T> {
  data: T[];
  /** Null on the last page. */
  nextCursor: string | null;
}

export interface PageRequest {
  /** 1–100, 20 by default. */
  limit?: number;
  cursor?: string;
  /** `asc` by default: oldest first. */
  order?: 'asc' | 'desc';
}
