import type { Schemas } from '@qdrant/js-client-rest';
import { v5 as uuidv5 } from 'uuid';
import type { Chunk, IndexedDocument, Passage } from '../contracts/retrieval.ts';
import { DENSE, TERMS } from './qdrant-collection.ts';
import { storable } from './storable.ts';
import { documentTerms } from './terms.ts';

const NAMESPACE = '0b7a3c52-6f0e-5d7c-8a4e-2f1d9e6c5b10';

/** What is kept of a chunk beside its vectors. */
interface Payload {
  tenant: string;
  base: string;
  document: string;
  ordinal: number;
  chunk: string;
  name: string;
  start: number;
  end: number;
  text: string;
}

/** A chunk as a point. `vector` null: it is found by its words alone. */
export function toPoint(
  { tenant, base, documentId, name }: IndexedDocument,
  { id, ordinal, start, end, text }: Chunk,
  vector: number[] | null,
): Schemas['PointStruct'] {
  const payload: Payload = {
    tenant,
    base,
    document: documentId,
    ordinal,
    chunk: id,
    name: storable(name),
    start,
    end,
    text: storable(text),
  };
  const terms = documentTerms(text);
  return {
    id: pointId(tenant, documentId, ordinal),
    vector: {
      ...(vector && { [DENSE]: vector }),
      ...(terms.indices.length > 0 && { [TERMS]: terms }),
    },
    payload: { ...payload },
  };
}

/** The tenant is part of it: whatever ids documents have, nobody writes over another tenant's points. */
function pointId(tenant: string, documentId: string, ordinal: number): string {
  return uuidv5(JSON.stringify([tenant, documentId, ordinal]), NAMESPACE);
}

export function toPassage({ payload, score }: Schemas['ScoredPoint']): Passage {
  const { chunk, document, name, start, end, text } = payload as unknown as Payload;
  return { chunkId: chunk, documentId: document, documentName: name, start, end, text, score };
}
