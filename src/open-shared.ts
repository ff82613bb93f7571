import { temporalStarter, withCodec, type StarterOptions } from './client/temporal.ts';
import type { Config } from './config.ts';
import type { TurnStarter } from './contracts/starter.ts';
import type { Store } from './contracts/store.ts';
import { openEncryption, type Encryption } from './encryption/open.ts';
import { openStore } from './store/postgres.ts';

/** How long to wait for a key while the database is away: the SDK ends a worker that cannot encode. */
export const KEY_PATIENCE = { client: 2_000, worker: Infinity };

/** Ports that go with both a client and a worker. */
export interface SharedPorts {
  store: Store;
  starter: TurnStarter;
}

/** Opens the store, what encrypts with its keys, and the starter of workflows. */
export async function openShared(
  config: Config,
  temporal: Omit<StarterOptions, 'taskQueue'> & { keyPatienceMs: number },
  opened: { add(close: () => Promise<void>): void },
): Promise<{ shared: SharedPorts; encryption: Encryption }> {
  const { databaseUrl: connectionString, databasePoolSize: poolSize, taskQueue } = config;
  const { databaseListenUrl: listenUrl } = config;
  const { logger, client, keyPatienceMs } = temporal;
  const store = await openStore({
    ...{ connectionString, poolSize, logger },
    ...(listenUrl !== null && { notifications: { connectionString: listenUrl, logger } }),
  });
  opened.add(() => store.close());
  const encryption = await openEncryption(config.encryptionKeys, store.keys, keyPatienceMs);
  const encrypting = withCodec(client, encryption.codec);
  const starter = await temporalStarter({ ...temporal, client: encrypting, taskQueue });
  return { shared: { store, starter }, encryption };
}
