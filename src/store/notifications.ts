import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from '../contracts/logger.ts';
import { DirectConnection } from './direct-connection.ts';

export interface NotificationOptions {
  /** Of a direct connection: behind a pooler nothing would be heard. */
  connectionString: string;
  logger: Logger;
}

/** Tells other processes what has news, by short keys, and hears it from them. What gets lost is not told again. */
export interface Notifications {
  announce(key: string): void;
  /** Hears from now on: keys, or null when some may have been missed. */
  listen(heard: Heard): void;
  close(): Promise<void>;
}

type Heard = (keys: string[] | null) => void;

const CHANNEL = 'turnkeeper_events';
const NOTIFY = `SELECT pg_notify('${CHANNEL}', payload) FROM unnest($1::text[]) AS payload`;
/** A payload has room for 7,999 bytes. */
const KEYS_PER_PAYLOAD = 300;
/** Commits that notify wait for each other, in the whole database: what comes meanwhile goes together. */
const NOTIFY_EVERY_MS = 10;

/** Connects when it is first needed. */
export function openNotifications(options: NotificationOptions): Notifications {
  const news = new Set<string>();
  let connection: DirectConnection | undefined;
  let heard: Heard | undefined;
  let telling = false;

  async function prepare(client: pg.Client): Promise<void> {
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    client.on('notification', ({ processId, payload = '' }) => {
      if (processId !== rows[0]?.pid) heard?.(payload.split(','));
    });
    if (heard) await listenOn(client);
  }

  async function listenOn(client: pg.Client): Promise<void> {
    await client.query(`LISTEN ${CHANNEL}`);
    heard?.(null);
  }

  async function tell(): Promise<void> {
    if (telling) return;
    telling = true;
    while (news.size > 0) {
      const payloads = payloadsOf([...news]);
      news.clear();
      await connection?.client?.query(NOTIFY, [payloads]).catch(() => undefined);
      await sleep(NOTIFY_EVERY_MS);
    }
    telling = false;
  }

  return {
    announce(key) {
      connection ??= new DirectConnection({ ...options, prepare });
      news.add(key);
      void tell();
    },
    listen(callback) {
      const first = heard === undefined;
      heard = callback;
      const client = connection?.client;
      connection ??= new DirectConnection({ ...options, prepare });
      // A connection that breaks over it is made anew, and listens then.
      if (first && client) void listenOn(client).catch(() => undefined);
    },
    close: async () => connection?.close(),
  };
}

function payloadsOf(keys: string[]): string[] {
  const payloads: string[] = [];
  for (let n = 0; n < keys.length; n += KEYS_PER_PAYLOAD)
    payloads.push(keys.slice(n, n + KEYS_PER_PAYLOAD).join(','));
  return payloads;
}
