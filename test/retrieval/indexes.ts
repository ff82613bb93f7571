import { QdrantClient } from '@qdrant/js-client-rest';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, inject } from 'vitest';
import type { VectorIndex } from '../../src/contracts/retrieval.ts';
import { pgvectorIndex } from '../../src/retrieval/pgvector.ts';
import { collectionName } from '../../src/retrieval/qdrant-collection.ts';
import { qdrantIndex } from '../../src/retrieval/qdrant.ts';
import type { Space } from '../../src/retrieval/vectors.ts';
import { startTestPglite } from '../support/pglite.ts';
import { hasPart, requirePart } from '../support/require-part.ts';

/** Indexes of one kind, for one suite. */
export interface TestIndexes {
  /** The server's `host:port`. */
  readonly address: string;
  /** Another index on a space of the suite's own; `address` to reach the server by another way. Closed at the end. */
  create(space: string, dimensions: number | null, address?: string): VectorIndex;
  /** The same, prepared. */
  open(space: string, dimensions: number | null): Promise<VectorIndex>;
}

interface Server {
  url: string;
  apiKey: string | null;
  /** `spaces` are those that the suite has used. */
  stop(spaces: string[]): Promise<void>;
}

interface Backend {
  /** Null for one that is always there. */
  part: 'qdrant-engine' | null;
  start(): Promise<Server>;
  create(server: Server, space: Space): VectorIndex;
}

const PGVECTOR: Backend = {
  part: null,
  async start() {
    const { url, stop } = await startTestPglite();
    return { url, apiKey: null, stop };
  },
  create: ({ url }, space) => pgvectorIndex({ connectionString: url, ...space }),
};

const ENGINE: Backend = {
  part: 'qdrant-engine',
  async start() {
    return qdrantServer(inject('qdrantEngineUrl') ?? '', null);
  },
  create: (server, space) => qdrantIndex({ ...server, ...space }),
};

/** Runs one suite over every index that there is. */
export function describeIndexes(name: string, suite: (indexes: TestIndexes) => void): void {
  describe(`${name}, in pgvector on PGlite`, () => suite(indexesOf(PGVECTOR)));
  describeQdrant(name, suite);
}

/** The same for Qdrant alone: its engine, and the server at QDRANT_URL where that is set. */
export function describeQdrant(name: string, suite: (indexes: TestIndexes) => void): void {
  describe(`${name}, in Qdrant’s engine`, () => {
    beforeEach((context) => requirePart(context, 'qdrant-engine'));
    suite(indexesOf(ENGINE));
  });
  const given = inject('qdrantServer');
  if (!given) return;
  describe(`${name}, in the Qdrant server at ${new URL(given.url).host}`, () => {
    const start = async () => qdrantServer(given.url, given.apiKey);
    suite(indexesOf({ ...ENGINE, part: null, start }));
  });
}

function qdrantServer(url: string, apiKey: string | null): Server {
  return {
    url,
    apiKey,
    async stop(spaces) {
      const client = new QdrantClient({
        url,
        checkCompatibility: false,
        ...(apiKey !== null && { apiKey }),
      });
      for (const space of spaces) await client.deleteCollection(collectionName(space));
    },
  };
}

function indexesOf({ part, start, create }: Backend): TestIndexes {
  const suite = randomUUID().slice(0, 8);
  const spaces = new Set<string>();
  const opened: VectorIndex[] = [];
  let server: Server | undefined;

  beforeAll(async () => {
    if (part === null || hasPart(part)) server = await start();
  });

  afterAll(async () => {
    await Promise.all(opened.map((index) => index.close()));
    await server?.stop([...spaces]);
  });

  const current = (): Server => {
    if (!server) throw new Error('The indexes are there only while tests run.');
    return server;
  };
  const indexes: TestIndexes = {
    get address() {
      return new URL(current().url).host;
    },
    create(name, dimensions, address) {
      const space = `${name} ${suite}`;
      spaces.add(space);
      const url = new URL(current().url);
      if (address !== undefined) url.host = address;
      const index = create({ ...current(), url: url.href }, { space, dimensions });
      opened.push(index);
      return index;
    },
    async open(name, dimensions) {
      const index = indexes.create(name, dimensions);
      await index.prepare();
      return index;
    },
  };
  return indexes;
}
