import pg from 'pg';
import { TurnkeeperError } from '../contracts/errors.ts';
import { StoreUnavailable, type Store } from '../contracts/store.ts';
import { actionStore } from './actions.ts';
import { assistantStore } from './assistants.ts';
import { checkupStore } from './checkup.ts';
import { compensationStore } from './compensations.ts';
import { conversationStore } from './conversations.ts';
import { keyStore } from './data-keys.ts';
import { openDatabase, type DatabaseOptions } from './database.ts';
import { documentStore } from './documents.ts';
import { eventStore } from './events.ts';
import { fileStore } from './files.ts';
import { migrate } from './migrate.ts';
import { announcing } from './news.ts';
import { openNotifications, type NotificationOptions } from './notifications.ts';
import { stepStore } from './steps.ts';
import { summaryStore } from './summaries.ts';
import { sweepQueries } from './sweep.ts';
import { turnStore } from './turns.ts';

export interface StoreOptions extends DatabaseOptions {
  /** Without it, readers in other processes look for events. */
  notifications?: NotificationOptions;
}

/** Opens the store on a PostgreSQL server, or on PGlite behind its socket, and brings the schema up to date. */
export async function openStore(options: StoreOptions): Promise<Store> {
  await bringUpToDate(options);
  const db = openDatabase(options);
  const store = {
    assistants: assistantStore(db),
    conversations: conversationStore(db),
    turns: turnStore(db),
    steps: stepStore(db),
    actions: actionStore(db),
    events: eventStore(db),
    documents: documentStore(db),
    files: fileStore(db),
    compensations: compensationStore(db),
    summaries: summaryStore(db),
    keys: keyStore(db),
    sweep: sweepQueries(db),
    checkup: checkupStore(db),
    close: () => db.close(),
  };
  const { notifications } = options;
  return announcing(store, notifications ? openNotifications(notifications) : null);
}

/** A migration takes its time, and whoever waits for another's as long. */
async function bringUpToDate(options: DatabaseOptions): Promise<void> {
  const db = openDatabase({ ...options, poolSize: 2, queryTimeoutMs: 0 });
  try {
    await migrate(db);
  } catch (error) {
    throw error instanceof TurnkeeperError ? error : unusable(options, error);
  } finally {
    await db.close();
  }
}

/** At start whatever the database refuses is told as what it is: not to be worked with as it stands. */
function unusable({ connectionString }: DatabaseOptions, error: unknown): TurnkeeperError {
  const { host } = new URL(connectionString);
  const cause = error instanceof StoreUnavailable ? error.cause : error;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const silent = error instanceof StoreUnavailable && !(cause instanceof pg.DatabaseError);
  const answer = silent ? 'does not answer' : `cannot be used: ${reason}`;
  return new TurnkeeperError(
    'database_unreachable',
    `The database at ${host} ${answer}.`,
    { host },
    error,
  );
}
