import type { CompensateInput, SummarizeInput, TurnInput } from '../turn.ts';

/** What the worker's sweep works on, over all tenants. */
export interface Sweep {
  /** Turns accepted at least `olderThanMs` ago whose start was never marked. */
  unstartedTurns(olderThanMs: number, limit: number): Promise<TurnInput[]>;
  /** Turns at least `graceMs` past their deadline and not sealed. */
  overdueTurns(graceMs: number, limit: number): Promise<TurnInput[]>;
  /** Documents stored at least `olderThanMs` ago and neither indexed nor failed. */
  unindexedDocuments(
    olderThanMs: number,
    limit: number,
  ): Promise<{ tenant: string; documentId: string }[]>;
  /**
   * Compensations requested at least `olderThanMs` ago and not closed. Each is handed out at most once in `everyMs`,
   * whoever asks.
   */
  openCompensations(
    age: { olderThanMs: number; everyMs: number },
    limit: number,
  ): Promise<CompensateInput[]>;
  /** Conversations whose summary lags behind and was asked for at least `olderThanMs` ago; see `SummaryStore.work`. */
  outgrownConversations(olderThanMs: number, limit: number): Promise<SummarizeInput[]>;
}
