import type {
  Chunk,
  IndexedDocument,
  SearchQuery,
  VectorIndex,
} from '../../src/contracts/retrieval.ts';

export function document(
  documentId: string,
  fields: Partial<IndexedDocument> = {},
): IndexedDocument {
  return { tenant: 'acme', base: 'handbook', documentId, name: `${documentId}.md`, ...fields };
}

export function chunksOf(...texts: string[]): Chunk[] {
  return texts.map((text, ordinal) => ({
    id: `chunk-${ordinal}`,
    ordinal,
    start: 10 * ordinal,
    end: 10 * ordinal + 5,
    text,
  }));
}

/** `chunk 0`, `chunk 1`, … */
export function numbered(count: number): Chunk[] {
  return chunksOf(...Array.from({ length: count }, (_, n) => `chunk ${n}`));
}

export function ask(
  text: string,
  vector: number[] | null = null,
  fields: Partial<SearchQuery> = {},
): SearchQuery {
  return { tenant: 'acme', bases: ['handbook'], text, vector, limit: 5, ...fields };
}

/** What a search finds, best first. */
export async function texts(index: VectorIndex, query: SearchQuery): Promise<string[]> {
  return (await index.search(query)).map((passage) => passage.text);
}

/** What several tests look at and none of them changes: made for the first of them. */
export function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}
