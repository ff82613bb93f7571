import type { Setting } from './setting.ts';

/** What is kept, and where. */
export const STORAGE = {
  DATABASE_URL: {
    default: null,
    secret: true,
    description:
      'Required. The PostgreSQL database that holds conversations and turns: `postgres://user:password@host:5432/name`.',
  },
  DATABASE_POOL_SIZE: {
    default: '10',
    range: [1, 1_000],
    description: 'Connections one process opens to the database at most.',
  },
  DATABASE_LISTEN_URL: {
    default: null,
    secret: true,
    description:
      'The same database by a direct connection, not through a pooler: processes then tell each other of new events. Without it readers look for them.',
  },
  VECTOR_DATABASE_URL: {
    default: null,
    secret: true,
    description:
      'A PostgreSQL database with the `vector` extension, for documents. Without it and `QDRANT_URL` retrieval is off.',
  },
  QDRANT_URL: {
    default: null,
    description:
      'A Qdrant server, for documents, instead of `VECTOR_DATABASE_URL`: `http://host:6333`.',
  },
  QDRANT_API_KEY: { default: null, secret: true, description: 'Key of the Qdrant server.' },
  TURNKEEPER_ENCRYPTION_KEYS: {
    default: null,
    secret: true,
    description:
      'Keys that protect what is in Temporal’s histories: `id:key,…`, each of 32 bytes in base64. The first one wraps, all unwrap. Without it nothing is encrypted. All processes need the same.',
  },
} as const satisfies Record<string, Setting>;
