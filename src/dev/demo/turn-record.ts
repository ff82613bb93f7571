import type { Source, Step } from '../../contracts/store.ts';
import type { FinalStatus } from '../../contracts/turn.ts';

/** One turn of the demo, as `--json` prints it. */
export interface TurnReport {
  id: string;
  workflowId: string;
  status: FinalStatus;
  question: string;
  answer: string;
  sources: Source[];
  steps: Step[];
  workflowTasks: number;
  /** Events of the workflow's history. */
  events: number;
  historyBytes: number;
  /** Input and output of all model calls, those of abandoned ones estimated. */
  tokens: number;
  /** Attempts of steps beyond the first. */
  retries: number;
  workerKilled: boolean;
}

/** With what only people want to see. */
export interface TurnRecord extends TurnReport {
  title: string;
  /** Why it did not complete. */
  why: string | null;
  /** Whether the stream showed the answer that is stored, no more and no less. */
  whole: boolean;
  tokensEstimated: boolean;
  link: string;
}
