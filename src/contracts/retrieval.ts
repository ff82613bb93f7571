/** Turns texts into vectors of one embedding space. */
export interface Embedder {
  /** Name of the embedding space, e.g. `all-MiniLM-L6-v2-q8`: vectors of different spaces never meet. */
  readonly space: string;
  readonly dimensions: number;
  embed(texts: string[], options: { signal: AbortSignal }): Promise<number[][]>;
}

export interface Chunk {
  /** UUID, derived from document and ordinal: indexing twice writes the same rows. */
  id: string;
  ordinal: number;
  /** Character range `[start, end)` in the document's text. */
  start: number;
  end: number;
  text: string;
}

export interface IndexedDocument {
  tenant: string;
  /** Knowledge base the document belongs to. */
  base: string;
  documentId: string;
  /** The document's name, for citing it. */
  name: string;
}

export interface SearchQuery {
  tenant: string;
  bases: string[];
  text: string;
  /** Null where no embedder can be had: full text alone. */
  vector: number[] | null;
  limit: number;
}

export interface Passage {
  chunkId: string;
  documentId: string;
  documentName: string;
  start: number;
  end: number;
  text: string;
  /** Higher is better; comparable within one search only. */
  score: number;
}

/** Where chunks live. Joins vectors with full text by rank fusion. One index serves one embedding space. */
export interface VectorIndex {
  /** Creates what it needs; idempotent. */
  prepare(): Promise<void>;
  /** Inserts or replaces; `vectors` is null where no embedder can be had, else one vector a chunk. */
  upsert(document: IndexedDocument, chunks: Chunk[], vectors: number[][] | null): Promise<void>;
  /** Removes chunks of the document with an ordinal of `from` and up (all of them without it). */
  deleteDocument(document: { tenant: string; documentId: string }, from?: number): Promise<void>;
  search(query: SearchQuery): Promise<Passage[]>;
  close(): Promise<void>;
}
