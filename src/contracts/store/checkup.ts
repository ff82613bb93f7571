import type { TurnInput } from '../turn.ts';
import type { SweepAge, TurnRef } from './sweep.ts';
import type { TurnState } from './turns.ts';

/** Why a turn failed that was open in the backup from which the database was restored. */
export const RESTORED = 'restored';

/** By so much the event numbers of a turn rise over those that its readers may know, when the database was restored. */
export const EVENTS_OF_AN_EPOCH = 1_000_000;

/** What does not fit together, over all tenants: found and mended by the sweep and by `turnkeeper doctor`. */
export interface Checkup {
  /** Resolves when the database answers. */
  answers(): Promise<void>;
  /** Turns started at least `olderThanMs` ago. Each is handed out at most once in `everyMs`, whoever asks. */
  startedTurns(age: SweepAge, limit: number): Promise<TurnRef[]>;
  /** Ids of the turns that came last among those that were started. */
  newestStarted(limit: number): Promise<string[]>;
  /** Turns in these states whose number is above `after`, in order. Looking changes nothing. */
  turnsIn(states: TurnState[], after: number, limit: number): Promise<NumberedTurn[]>;
  /** What the store knows of these turns; of those that it does not know it says nothing. */
  statesOf(turnIds: string[]): Promise<TurnStanding[]>;
  /** Conversations for which something waits although no open turn has them. */
  waitingInVain(limit: number): Promise<ConversationRef[]>;
  /**
   * The same, those that are held by a turn that is not open, and those whose open turn does not hold them: looks at every
   * conversation.
   */
  heldByNobody(limit: number): Promise<ConversationRef[]>;
  /**
   * Hands over a conversation that no open turn has: back to its open turn where there is one, else to what waits. Any
   * other is left alone (false).
   */
  free(tenant: string, conversationId: string): Promise<Freed>;
  /** Sealed turns with steps or actions that are open all the same: looks at every open step. */
  leftOpen(limit: number): Promise<TurnRef[]>;
  /** Closes what is open of a sealed turn; any other turn is left alone. */
  closeLeftOpen(tenant: string, turnId: string): Promise<void>;
  /** How much has been waiting for a sweep for at least `olderThanMs`. */
  overlooked(olderThanMs: number): Promise<Overlooked>;
  /**
   * Ends a turn that was open in a backup: as failed, `restored`. Its last event has a number that no reader can know. What
   * it did is not undone by itself: it may have completed since. False for a turn that has ended.
   */
  sealRestored(tenant: string, turnId: string): Promise<boolean>;
}

export interface NumberedTurn extends TurnRef {
  number: number;
}

export interface TurnStanding extends TurnRef {
  state: TurnState;
  /** Since it was sealed, milliseconds; null for a turn that is not. */
  sealedForMs: number | null;
}

export interface ConversationRef {
  tenant: string;
  conversationId: string;
}

export interface Freed {
  freed: boolean;
  /** The turn that has the conversation now, to be started by whoever reads this. */
  next: TurnInput | null;
}

export interface Overlooked {
  unstartedTurns: number;
  overdueTurns: number;
  lateQueuedTurns: number;
  cancellingTurns: number;
  unreadSubmissions: number;
  compensations: number;
  summaries: number;
  documents: number;
  deletions: number;
  responses: number;
}
