import { DEFAULT_LIMITS } from '../conversation/limits.ts';

/** One environment variable that Turnkeeper reads. */
export interface Setting {
  /** As docs/configuration.md gives it; null where there is none. */
  default: string | null;
  unit?: 'bytes' | 'milliseconds';
  /** Bounds of a whole number, both included. */
  range?: readonly [min: number, max: number];
  oneOf?: readonly string[];
  /** Never printed, never echoed in an error. */
  secret?: true;
  description: string;
}

const MIB = 1_048_576;
const DAY_MS = 86_400_000;

/** Every setting there is; docs/configuration.md is held against this table. */
export const SETTINGS = {
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
  OPENAI_API_KEY: {
    default: null,
    secret: true,
    description: 'Key of the model provider. A worker needs it, or `OPENAI_BASE_URL`.',
  },
  OPENAI_BASE_URL: {
    default: null,
    description:
      'A server that speaks the Responses API, instead of OpenAI: `http://host:port/v1`.',
  },
  EMBEDDINGS: {
    default: 'auto',
    oneOf: ['auto', 'openai', 'local', 'none'],
    description:
      '`openai`, `local` (a small model in the worker) or `none` (full text alone). `auto` takes `openai` with a key, else `local`, else `none`.',
  },
  EMBEDDING_MODEL: {
    default: 'text-embedding-3-small',
    description: 'Embedding model of the provider.',
  },
  EMBEDDING_DIMENSIONS: {
    default: '512',
    range: [1, 2_000],
    description: 'Dimensions asked of the provider’s embedding model.',
  },
  TURNKEEPER_CACHE_DIR: {
    default: '~/.cache/turnkeeper',
    description:
      'Folder for what was downloaded: the Temporal CLI, model weights. `XDG_CACHE_HOME` is respected.',
  },
  TURNKEEPER_TASK_QUEUE: {
    default: 'turnkeeper',
    description: 'Temporal task queue. Clients and workers must agree on it.',
  },
  TURNKEEPER_TOOLS: {
    default: null,
    description:
      'Path of a module that exports `tools`, an array of tool definitions, for the worker.',
  },
  TURNKEEPER_WORKFLOW_BUNDLE: {
    default: null,
    description:
      'Path of the bundled workflows. The build has a bundle; the sources are bundled whenever a worker starts.',
  },
  TURNKEEPER_SANDBOX: {
    default: 'auto',
    oneOf: ['auto', 'docker', 'bubblewrap', 'none'],
    description:
      'Where `run_code` runs. `auto` takes Docker where an engine has the image, else bubblewrap, else `none`: the tool is then refused.',
  },
  TURNKEEPER_SANDBOX_IMAGE: {
    default: 'turnkeeper-sandbox',
    description:
      'Image of the Docker sandbox: a tag, digest or id. Workers run the id it has when they start, until that one is gone.',
  },
  TURNKEEPER_SANDBOX_RUNTIME: {
    default: null,
    description:
      'Runtime of the Docker sandbox, such as `runsc` (gVisor). The engine’s own by default.',
  },
  TURNKEEPER_SANDBOX_CONCURRENCY: {
    default: null,
    range: [1, 10_000],
    description:
      'Programs that one worker runs in sandboxes at a time, others wait; as many as there are processors by default.',
  },
  DOCKER_HOST: {
    default: 'unix:///var/run/docker.sock',
    description: 'The Docker engine that runs sandboxes: `unix://path` or `tcp://host:port`.',
  },
  TURNKEEPER_METRICS_PORT: {
    default: '0',
    range: [0, 65_535],
    description: 'Port on which a worker serves Prometheus metrics. With 0 it serves none.',
  },
  TURNKEEPER_METRICS_HOST: {
    default: '127.0.0.1',
    description: 'Address on which a worker serves metrics.',
  },
  PORT: {
    default: '8787',
    range: [0, 65_535],
    description: 'Port of the HTTP gateway. With 0 it takes any that is free, and prints it.',
  },
  TURNKEEPER_HOST: {
    default: '127.0.0.1',
    description:
      'Address of the HTTP gateway. Until there are API keys it must be one of this machine alone.',
  },
  TURNKEEPER_MAX_STREAMS: {
    default: '1000',
    range: [1, 100_000],
    description:
      'Readers that one gateway serves at a time: event streams, sockets, and requests that wait for a result.',
  },
  DATA_DIR: {
    default: null,
    description:
      'Folder in which the gateway keeps what it started itself. Without it the data are temporary.',
  },
  TURNKEEPER_MODEL_IDLE_TIMEOUT_MS: {
    default: '120000',
    unit: 'milliseconds',
    range: [100, DAY_MS],
    description: 'A model stream that sends nothing for so long is given up and tried again.',
  },
  TURNKEEPER_MAX_INPUT_BYTES: {
    default: String(DEFAULT_LIMITS.maxInputBytes),
    unit: 'bytes',
    range: [1, 64 * MIB],
    description: 'Input of one turn at most, as JSON.',
  },
  TURNKEEPER_MAX_ITEMS_PER_TURN: {
    default: String(DEFAULT_LIMITS.maxItemsPerTurn),
    range: [1, 10_000],
    description: 'Input items of one turn at most.',
  },
  TURNKEEPER_MAX_METADATA_BYTES: {
    default: String(DEFAULT_LIMITS.maxMetadataBytes),
    unit: 'bytes',
    range: [2, MIB],
    description: 'Metadata of one conversation at most, as JSON.',
  },
  TURNKEEPER_MAX_DOCUMENT_BYTES: {
    default: String(DEFAULT_LIMITS.maxDocumentBytes),
    unit: 'bytes',
    range: [1, 512 * MIB],
    description: 'One document at most.',
  },
  TURNKEEPER_MAX_QUEUED_TURNS: {
    default: String(DEFAULT_LIMITS.maxQueuedTurns),
    range: [1, 10_000],
    description: 'Turns and additions of items that wait in one conversation at most.',
  },
  TURNKEEPER_MAX_CONCURRENT_ACTIVITIES: {
    default: '100',
    range: [1, 10_000],
    description: 'Model calls, tool calls and retrievals that one worker runs at a time.',
  },
  TURNKEEPER_SWEEP_INTERVAL_MS: {
    default: '2000',
    unit: 'milliseconds',
    range: [100, DAY_MS],
    description:
      'How often a worker looks for turns that nobody started or that are past their deadline.',
  },
  TURNKEEPER_EVENT_RETENTION_MS: {
    default: String(DAY_MS),
    unit: 'milliseconds',
    range: [0, 3_650 * DAY_MS],
    description:
      'How long after the end of a turn its deltas are kept; then workers fold them into what they came to.',
  },
  TEMPORAL_ADDRESS: {
    default: 'localhost:7233',
    description: 'Host and port of the Temporal frontend.',
  },
  TEMPORAL_NAMESPACE: { default: 'default', description: 'Temporal namespace.' },
  TEMPORAL_API_KEY: {
    default: null,
    secret: true,
    description: 'Temporal API key; turns TLS on.',
  },
  TEMPORAL_TLS: {
    default: null,
    oneOf: ['true', 'false', '1', '0'],
    description: '`true` or `false`, to turn TLS on or off whatever else is set.',
  },
  TEMPORAL_TLS_CLIENT_CERT_PATH: {
    default: null,
    description: 'Client certificate for mutual TLS, a PEM file.',
  },
  TEMPORAL_TLS_CLIENT_CERT_DATA: { default: null, description: 'The same as PEM text.' },
  TEMPORAL_TLS_CLIENT_KEY_PATH: {
    default: null,
    description: 'Key of the client certificate, a PEM file.',
  },
  TEMPORAL_TLS_CLIENT_KEY_DATA: {
    default: null,
    secret: true,
    description: 'The same as PEM text.',
  },
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: {
    default: null,
    description: 'Certificate authority of the server, a PEM file.',
  },
  TEMPORAL_TLS_SERVER_CA_CERT_DATA: { default: null, description: 'The same as PEM text.' },
  TEMPORAL_TLS_SERVER_NAME: {
    default: null,
    description: 'Server name to expect in the certificate.',
  },
  TEMPORAL_CONFIG_FILE: {
    default: null,
    description:
      'A Temporal client configuration file (TOML) instead of the one in the user’s configuration folder.',
  },
  TEMPORAL_PROFILE: { default: 'default', description: 'Profile of that file.' },
  TEMPORAL_CLI_PATH: {
    default: null,
    description:
      'The `temporal` executable for the development server; otherwise it is looked for, then downloaded.',
  },
} as const satisfies Record<string, Setting>;

type Table = typeof SETTINGS;

export type SettingName = keyof Table;

/** Settings that have a default. */
export type DefaultedName = {
  [N in SettingName]: Table[N]['default'] extends string ? N : never;
}[SettingName];

/** Settings that are whole numbers. */
export type NumberName = {
  [N in SettingName]: Table[N] extends { range: object } ? N : never;
}[SettingName];

/** Settings that are one of a few words. */
export type ChoiceName = {
  [N in SettingName]: Table[N] extends { oneOf: object } ? N : never;
}[SettingName];

/** The words such a setting takes. */
export type Choice<N extends ChoiceName> = Table[N] extends { oneOf: readonly (infer Word)[] }
  ? Word
  : never;
