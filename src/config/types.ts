import type { Limits } from '../conversation/limits.ts';
import type { EncryptionKey } from './encryption.ts';
import type { TemporalConfig } from './temporal.ts';
import type { Versioning } from './versioning.ts';

/** Everything that can be set, parsed and frozen. docs/configuration.md says what each part means. */
export interface Config {
  readonly databaseUrl: string;
  readonly databasePoolSize: number;
  /** Null: readers look for events. */
  readonly databaseListenUrl: string | null;
  /** Null: retrieval is off. */
  readonly vectorDatabaseUrl: string | null;
  /** Null: documents are in `vectorDatabaseUrl`. */
  readonly qdrant: { readonly url: string; readonly apiKey: string | null } | null;
  /** The first one wraps the keys of conversations. None: nothing is encrypted. */
  readonly encryptionKeys: readonly EncryptionKey[];
  /** Whose pages may have payloads decoded. */
  readonly codecOrigin: string | null;
  readonly openai: { readonly apiKey: string | null; readonly baseUrl: string | null };
  readonly embeddings: {
    readonly source: 'auto' | 'openai' | 'local' | 'none';
    readonly model: string;
    readonly dimensions: number;
  };
  readonly sandbox: {
    readonly kind: 'auto' | 'docker' | 'bubblewrap' | 'none';
    readonly image: string;
    readonly runtime: string | null;
    readonly dockerHost: string;
    readonly concurrency: number;
  };
  /** Null: no metrics are served. */
  readonly metrics: { readonly host: string; readonly port: number } | null;
  readonly cacheDir: string;
  readonly taskQueue: string;
  /** Absolute path. */
  readonly toolsModule: string | null;
  readonly modelIdleTimeoutMs: number;
  readonly limits: Readonly<Limits>;
  readonly worker: {
    readonly maxConcurrentActivities: number;
    readonly sweepIntervalMs: number;
    readonly eventRetentionMs: number;
  };
  /** Null: any build may go on with any turn. */
  readonly versioning: Versioning | null;
  readonly temporal: TemporalConfig;
  /** Absolute path. */
  readonly temporalCliPath: string | null;
}
