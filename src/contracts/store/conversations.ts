import type { Item, JsonObject } from '../json.ts';
import type { ConversationItem, ConversationSummary } from './conversation-items.ts';
import type { DeletedConversation } from './deletions.ts';
import type { Page, PageRequest, RequestKey } from './pages.ts';
import type { Refused } from './turns.ts';

export interface Conversation {
  id: string;
  endUser: string | null;
  metadata: JsonObject;
  /** The turn that holds the conversation's lock. */
  activeTurn: string | null;
  /** What a model is told of the items that it is not shown any more; null as long as it is shown all. */
  summary: ConversationSummary | null;
  /** The turn that was edited for it, of which it has all that came before. */
  branchedFrom: { conversationId: string; turnId: string } | null;
  createdAt: Date;
}

export interface AddItems {
  items: Item[];
  /** So many may wait when a turn holds the conversation; null: then they are refused. */
  maxQueued: number | null;
  key?: RequestKey;
}

/** `queued`: they come into the conversation once everything before them has ended. */
export type ItemsAdded = { kind: 'added' | 'queued' } | Refused;

export interface ConversationStore {
  create(
    tenant: string,
    fields: { endUser: string | null; metadata: JsonObject },
    key?: RequestKey,
  ): Promise<Conversation>;
  get(tenant: string, id: string): Promise<Conversation>;
  list(
    tenant: string,
    filter: { endUser?: string },
    page: PageRequest,
  ): Promise<Page<Conversation>>;
  items(
    tenant: string,
    id: string,
    filter: { turnId?: string; superseded?: boolean },
    page: PageRequest,
  ): Promise<Page<ConversationItem>>;
  /** Adds items without running a turn. Repeated with the same key, it adds nothing and tells how they stand. */
  addItems(tenant: string, id: string, request: AddItems): Promise<ItemsAdded>;
  /**
   * Makes the conversation unknown and deletes its key, unless a turn holds it. Its rows go after that: `Sweep.removeRows`.
   * Refused as `compensation_running` while effects are being undone.
   */
  delete(
    tenant: string,
    id: string,
  ): Promise<{ kind: 'deleting'; conversation: DeletedConversation } | Refused>;
}
