/** A conversation whose rows are being deleted: it is known to nobody any more. */
export interface DeletedConversation {
  tenant: string;
  conversationId: string;
  /** Workflows that may still be running for it. */
  workflows: string[];
}

/** `waiting`: for its workflows to be ended, or for a provider to be told to stop. */
export type RowsLeft = 'none' | 'some' | 'waiting';
