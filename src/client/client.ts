import type { Logger } from '../contracts/logger.ts';
import type { TurnStarter } from '../contracts/starter.ts';
import type { Store } from '../contracts/store.ts';
import type { Limits } from '../conversation/limits.ts';
import { createAssistants, type Assistants } from './assistants.ts';
import { createConversations, type Conversations } from './conversations.ts';
import { createDocuments, type Documents } from './documents.ts';
import { createFiles, type Files } from './files.ts';
import type { Parts } from './parts.ts';
import { createTurns, type Turns } from './turns.ts';

/** What a backend works with. Methods reject with `TurnkeeperError`, whose `code` says what to do. */
export interface Turnkeeper {
  assistants: Assistants;
  conversations: Conversations;
  turns: Turns;
  documents: Documents;
  files: Files;
  /** Closes the connections to the database and to Temporal. Turns go on. */
  close(): Promise<void>;
}

export interface ClientOptions {
  store: Store;
  starter: TurnStarter;
  logger: Logger;
  limits: Limits;
  /** `default` by default. */
  tenant?: string;
  /** Closes what the client was made with. */
  close: () => Promise<void>;
}

export function createClient({ tenant = 'default', close, ...options }: ClientOptions): Turnkeeper {
  const parts: Parts = { ...options, tenant };
  return {
    assistants: createAssistants(parts),
    conversations: createConversations(parts),
    turns: createTurns(parts),
    documents: createDocuments(parts),
    files: createFiles(parts),
    close,
  };
}
