import type { DeletedConversation, RowsLeft } from './deletions.ts';
import type { StoppableCall } from './turns.ts';
import type { CompensateInput, IngestInput, SummarizeInput, TurnInput } from '../turn.ts';

export interface SweepAge {
  olderThanMs: number;
  everyMs: number;
}

/** What the worker's sweep works on, over all tenants. */
export interface Sweep {
  /** Turns accepted at least `olderThanMs` ago whose start was never marked. */
  unstartedTurns(olderThanMs: number, limit: number): Promise<TurnInput[]>;
  /**
   * Turns that have not gone on, though what they need for that was submitted at least `olderThanMs` ago. Each is handed
   * out at most once in `everyMs`, whoever asks.
   */
  unreadSubmissions(age: SweepAge, limit: number): Promise<{ tenant: string; turnId: string }[]>;
  /** Turns at least `graceMs` past their deadline and not sealed. */
  overdueTurns(graceMs: number, limit: number): Promise<TurnInput[]>;
  /**
   * Documents stored at least `olderThanMs` ago and neither indexed nor failed. Each is handed out at most once in
   * `everyMs`, whoever asks, and about `limit` in that time: fewer, while others that were handed out are not done.
   */
  unindexedDocuments(age: SweepAge, limit: number): Promise<IngestInput[]>;
  /**
   * Compensations requested at least `olderThanMs` ago and not closed. Each is handed out at most once in `everyMs`,
   * whoever asks.
   */
  openCompensations(age: SweepAge, limit: number): Promise<CompensateInput[]>;
  /** Conversations whose summary lags behind and was asked for at least `olderThanMs` ago; see `SummaryStore.work`. */
  outgrownConversations(olderThanMs: number, limit: number): Promise<SummarizeInput[]>;
  /**
   * Unsealed turns that end without readers, and whose readers have been gone for as long as that takes. Notes that they
   * were found, so that they end with the reason `reader_gone`.
   */
  unreadTurns(limit: number): Promise<UnreadTurn[]>;
  /**
   * Responses that nobody waits for, some seconds old, whose provider has not been told to stop them. Each is handed out
   * at most once in `everyMs`, whoever asks, then after pauses that double; for about a day.
   */
  unstoppedCalls(everyMs: number, limit: number): Promise<StoppableCall[]>;
  /** Turns that are queued past the end of their wait. */
  overdueQueued(limit: number): Promise<TurnRef[]>;
  /**
   * Turns started at least `olderThanMs` ago that others wait for. Each is handed out at most once in `everyMs`, whoever
   * asks.
   */
  awaitedTurns(age: SweepAge, limit: number): Promise<TurnRef[]>;
  /** Unsealed turns that were to end in favour of another at least `olderThanMs` ago. */
  cancellingTurns(olderThanMs: number, limit: number): Promise<CancellingTurn[]>;
  /**
   * Conversations that were deleted at least `olderThanMs` ago and have rows left. Each is handed out again only after as
   * long.
   */
  deletedConversations(olderThanMs: number, limit: number): Promise<DeletedConversation[]>;
  /** The workflows of a deleted conversation have ended. */
  markEnded(conversationId: string): Promise<void>;
  /** Deletes at most about `limit` rows of a deleted conversation. */
  removeRows(
    conversation: Pick<DeletedConversation, 'tenant' | 'conversationId'>,
    limit: number,
  ): Promise<RowsLeft>;
  /** Folds the deltas of turns sealed at least `olderThanMs` ago; answers how many turns. */
  foldEvents(olderThanMs: number, limit: number): Promise<number>;
}

/** A turn, in the queue or at its head. */
export interface TurnRef {
  tenant: string;
  turnId: string;
}

export interface CancellingTurn extends TurnRef {
  /** Whether a workflow may have it. */
  started: boolean;
  /** Since it was asked to end, milliseconds. */
  cancellingForMs: number;
}

export interface UnreadTurn {
  tenant: string;
  turnId: string;
  /** Whether a workflow may have it. */
  started: boolean;
  /** Since it was first found, milliseconds. */
  foundForMs: number;
}
