import type { Item } from '../json.ts';

export interface ConversationItem {
  /** Position in the conversation; rises, may have gaps. */
  position: number;
  turnId: string | null;
  item: Item;
  createdAt: Date;
  /** The turn that has taken the place of the item's own; absent for items that hold. */
  supersededBy?: string;
}

export interface ConversationSummary {
  text: string;
  /** Items up to and including this position are in it. */
  through: number;
}
