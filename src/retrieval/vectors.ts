import type { Chunk } from '../contracts/retrieval.ts';

/** An embedding space, the same for all who use one index. */
export interface Space {
  /** Name of the embedding space. */
  space: string;
  /** Null for full text alone. */
  dimensions: number | null;
}

/** Throws when chunks and vectors are not as many, or a vector is not of this space. */
export function checkContent(space: Space, chunks: Chunk[], vectors: number[][] | null): void {
  if (vectors && vectors.length !== chunks.length) {
    throw new Error(`${chunks.length} chunks came with ${vectors.length} vectors.`);
  }
  for (const vector of vectors ?? []) checkVector(space, vector);
}

export function checkVector({ space, dimensions }: Space, vector: number[]): void {
  if (vector.length === dimensions) return;
  throw new Error(
    `A vector has ${vector.length} dimensions; the space ${space} has ${dimensions ?? 'none'}.`,
  );
}
