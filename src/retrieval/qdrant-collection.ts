import type { QdrantClient, Schemas } from '@qdrant/js-client-rest';
import { createHash } from 'node:crypto';
import { TurnkeeperError } from '../contracts/errors.ts';
import { refusalOf } from './qdrant-errors.ts';
import type { Space } from './vectors.ts';

/** Names of a point's two vectors. */
export const DENSE = 'dense';
export const TERMS = 'terms';

/** What points look like; a change that old points don't fit takes another number, and so another collection. */
const LAYOUT = 1;
const DISTANCE = 'Cosine';

/** Each search is one tenant's: graphs within the values of a field are all that is needed, and none across them. */
const GRAPH = { m: 0, payload_m: 16 };

/** Fields that are searched by. A document is no place to search in: a graph within it would only cost. */
const FIELDS: Record<string, Schemas['PayloadSchemaParams']> = {
  tenant: { type: 'keyword', is_tenant: true },
  base: { type: 'keyword' },
  document: { type: 'keyword', enable_hnsw: false },
  ordinal: { type: 'integer', lookup: false, range: true, enable_hnsw: false },
};

export function collectionName(space: string): string {
  const readable = space
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .slice(0, 40);
  const hash = createHash('sha256').update(space).digest('hex').slice(0, 8);
  return `turnkeeper_v${LAYOUT}_${readable}_${hash}`;
}

/** Creates what is missing; idempotent, also when several do it at once. Throws `index_mismatch` for a collection that is not of this space. */
export async function prepareCollection(client: QdrantClient, space: Space): Promise<void> {
  const name = collectionName(space.space);
  const { config, payload_schema: indexed } =
    (await findCollection(client, name)) ?? (await createCollection(client, space));
  checkCollection(name, space, config.params);
  for (const [field, schema] of Object.entries(FIELDS)) {
    if (field in indexed) continue;
    await client.createPayloadIndex(name, { field_name: field, field_schema: schema, wait: true });
  }
}

async function findCollection(
  client: QdrantClient,
  name: string,
): Promise<Schemas['CollectionInfo'] | null> {
  try {
    return await client.getCollection(name);
  } catch (error) {
    if (refusalOf(error)?.status === 404) return null;
    throw error;
  }
}

async function createCollection(
  client: QdrantClient,
  { space, dimensions }: Space,
): Promise<Schemas['CollectionInfo']> {
  const name = collectionName(space);
  try {
    await client.createCollection(name, {
      vectors: dimensions === null ? {} : { [DENSE]: { size: dimensions, distance: DISTANCE } },
      sparse_vectors: { [TERMS]: { modifier: 'idf' } },
      hnsw_config: GRAPH,
    });
  } catch (error) {
    // Somebody else was faster.
    const found = await findCollection(client, name);
    if (found) return found;
    throw error;
  }
  return client.getCollection(name);
}

function checkCollection(
  name: string,
  { space, dimensions }: Space,
  { vectors, sparse_vectors: sparse }: Schemas['CollectionParams'],
): void {
  const dense = denseVector(vectors);
  const found = dense?.size ?? null;
  const hasTerms = sparse?.[TERMS]?.modifier === 'idf';
  if (found === dimensions && hasTerms && (dense?.distance ?? DISTANCE) === DISTANCE) return;
  const what =
    found === dimensions
      ? 'was not made by this release'
      : `holds vectors of ${found ?? 'no'} dimensions, not ${dimensions ?? 'none'}`;
  throw new TurnkeeperError(
    'index_mismatch',
    `The Qdrant collection ${name} of the embedding space ${space} ${what}.`,
    { collection: name, expected: dimensions, found },
  );
}

function denseVector(vectors: Schemas['VectorsConfig'] = {}): Schemas['VectorParams'] | undefined {
  const named = vectors as Record<string, Schemas['VectorParams'] | undefined>;
  return named[DENSE];
}
