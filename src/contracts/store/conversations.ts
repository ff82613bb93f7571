import type { Item, JsonObject } from '../json.ts';
import type { Page, PageRequest, RequestKey } from './pages.ts';

export interface Conversation {
  id: string;
  endUser: string | null;
  metadata: JsonObject;
  /** The turn that holds the conversation's lock. */
  activeTurn: string | null;
  /** What a model is told of the items that it is not shown any more; null as long as it is shown all. */
  summary: ConversationSummary | null;
  createdAt: Date;
}

export interface ConversationItem {
  /** Position in the conversation; rises, may have gaps. */
  position: number;
  turnId: string | null;
  item: Item;
  createdAt: Date;
}

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
    filter: { turnId?: string },
    page: PageRequest,
  ): Promise<Page<ConversationItem>>;
}

export interface ConversationSummary {
  text: string;
  /** Items up to and including this position are in it. */
  through: number;
}
