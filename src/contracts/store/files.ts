import type { Page, PageRequest } from './pages.ts';

/** Bytes that belong to a turn: what a tool made. */
export interface FileRecord {
  id: string;
  turnId: string;
  /** A plain file name: no path, no control characters. */
  name: string;
  mediaType: string;
  bytes: number;
  createdAt: Date;
}

export interface NewFile {
  turnId: string;
  name: string;
  mediaType: string;
  content: Uint8Array;
  /** The same key gives the same file: storing again changes nothing. */
  key: string;
}

export interface FileStore {
  /** Stores records and bytes, in parts, in one transaction; answers them in the order given. */
  create(tenant: string, files: NewFile[]): Promise<FileRecord[]>;
  get(tenant: string, id: string): Promise<FileRecord>;
  list(tenant: string, filter: { turnId?: string }, page: PageRequest): Promise<Page<FileRecord>>;
  read(tenant: string, id: string): Promise<Uint8Array>;
}
