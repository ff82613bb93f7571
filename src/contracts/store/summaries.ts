import type { AssistantDefinition } from '../assistant.ts';
import type { ConversationItem, ConversationSummary } from './conversation-items.ts';

/** What the next call of `summarize` works on. */
export interface SummaryWork {
  /** The assistant that asked. */
  definition: AssistantDefinition;
  endUser: string | null;
  summary: ConversationSummary | null;
  /** The first items after the summary, of those that are to be in it: some hundreds, and some megabytes, at most. */
  items: ConversationItem[];
}

export interface SummaryStore {
  /**
   * Null when there is nothing to summarize (any more). Seals and sweeps don't ask for this summary again for an hour,
   * unless more is asked of it: whoever works on it tries for long, or has failed for good.
   */
  work(tenant: string, conversationId: string): Promise<SummaryWork | null>;
  /**
   * Replaces the summary by one that reaches further, but no further than was asked for. Null, and nothing changes, when
   * it is not the one that ends at `after` (0 for none) any more; else whether there is more to summarize.
   */
  extend(
    tenant: string,
    conversationId: string,
    change: { after: number; summary: ConversationSummary },
  ): Promise<{ more: boolean } | null>;
}
