import type { ActionStore } from './store/actions.ts';
import type { AssistantStore } from './store/assistants.ts';
import type { Checkup } from './store/checkup.ts';
import type { CompensationStore } from './store/compensations.ts';
import type { ConversationStore } from './store/conversations.ts';
import type { DocumentStore } from './store/documents.ts';
import type { EventStore } from './store/events.ts';
import type { FileStore } from './store/files.ts';
import type { KeyStore } from './store/keys.ts';
import type { StepStore } from './store/steps.ts';
import type { SummaryStore } from './store/summaries.ts';
import type { Sweep } from './store/sweep.ts';
import type { TurnStore } from './store/turns.ts';

export * from './store/pages.ts';
export * from './store/failures.ts';
export * from './store/actions.ts';
export * from './store/assistants.ts';
export * from './store/conversations.ts';
export * from './store/conversation-items.ts';
export * from './store/turns.ts';
export * from './store/step-ref.ts';
export * from './store/steps.ts';
export * from './store/repairs.ts';
export * from './store/events.ts';
export * from './store/documents.ts';
export * from './store/files.ts';
export * from './store/keys.ts';
export * from './store/deletions.ts';
export * from './store/compensations.ts';
export * from './store/summaries.ts';
export * from './store/sweep.ts';
export * from './store/checkup.ts';

/**
 * What is durable. Every method is one statement or one transaction, and takes the tenant it works for,
 * except those of `Sweep`, `Checkup` and `KeyStore`, which serve the worker and whoever runs it. Methods reject with `StoreUnavailable` when the database
 * cannot be reached or broke off, with `TurnkeeperError` for what a caller did wrong.
 */
export interface Store {
  assistants: AssistantStore;
  conversations: ConversationStore;
  turns: TurnStore;
  steps: StepStore;
  actions: ActionStore;
  events: EventStore;
  documents: DocumentStore;
  files: FileStore;
  compensations: CompensationStore;
  summaries: SummaryStore;
  keys: KeyStore;
  sweep: Sweep;
  checkup: Checkup;
  close(): Promise<void>;
}
