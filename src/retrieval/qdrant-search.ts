import type { QdrantClient, Schemas } from '@qdrant/js-client-rest';
import type { Passage, SearchQuery } from '../contracts/retrieval.ts';
import { DENSE, TERMS } from './qdrant-collection.ts';
import { toPassage } from './qdrant-points.ts';
import { queryTerms } from './terms.ts';

/** The constant of reciprocal rank fusion, 60 for places from 1 on; Qdrant counts them from 0. */
const FUSION = { rrf: { k: 61 } };
const MIN_CANDIDATES = 50;
/** How far the graph is searched: the more, the nearer to an exact search. */
const GRAPH_EFFORT = 128;

/** By meaning and by words, each within the tenant's bases, joined by reciprocal rank fusion. */
export async function searchCollection(
  client: QdrantClient,
  collection: string,
  query: SearchQuery,
): Promise<Passage[]> {
  const searches = searchesOf(query);
  if (searches.length === 0) return [];
  const { points } = await client.query(collection, {
    prefetch: searches,
    query: FUSION,
    limit: query.limit,
    with_payload: true,
  });
  return points.map(toPassage);
}

function searchesOf({ tenant, bases, text, vector, limit }: SearchQuery): Schemas['Prefetch'][] {
  if (bases.length === 0) return [];
  const scope = {
    filter: {
      must: [
        { key: 'tenant', match: { value: tenant } },
        { key: 'base', match: { any: bases } },
      ],
    },
    limit: Math.max(MIN_CANDIDATES, 4 * limit),
  };
  const terms = queryTerms(text);
  return [
    ...(terms.indices.length > 0 ? [{ ...scope, using: TERMS, query: terms }] : []),
    ...(vector
      ? [{ ...scope, using: DENSE, query: vector, params: { hnsw_ef: GRAPH_EFFORT } }]
      : []),
  ];
}
