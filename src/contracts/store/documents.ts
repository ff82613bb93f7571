import type { Page, PageRequest, RequestKey } from './pages.ts';
import type { StepFailure } from './steps.ts';

export interface DocumentRecord {
  id: string;
  base: string;
  name: string;
  mediaType: string;
  bytes: number;
  /** `stored` until the workflow has indexed it. */
  status: 'stored' | 'indexed' | 'failed';
  chunks: number | null;
  error: { reason: string; message: string } | null;
  createdAt: Date;
}

export interface NewDocument {
  base: string;
  name: string;
  mediaType: string;
  content: Uint8Array;
  key?: RequestKey;
}

export interface DocumentStore {
  /** Stores record and bytes, in parts, in one transaction. */
  create(tenant: string, document: NewDocument): Promise<DocumentRecord>;
  get(tenant: string, id: string): Promise<DocumentRecord>;
  list(tenant: string, filter: { base?: string }, page: PageRequest): Promise<Page<DocumentRecord>>;
  read(tenant: string, id: string): Promise<Uint8Array>;
  markIndexed(tenant: string, id: string, chunks: number): Promise<void>;
  markFailed(tenant: string, id: string, error: StepFailure): Promise<void>;
}
