import type { CompensateInput, IngestInput, SummarizeInput, TurnInput } from './turn.ts';

export type ExecutionState = 'running' | 'closed' | 'not_found';

/** Workflow id of a turn's compensation. */
export function compensationId(turnId: string): string {
  return `compensate:${turnId}`;
}

/** Starts, asks after and stops workflows. */
export interface TurnStarter {
  /** Succeeds when the turn's workflow was started before, whatever became of it. */
  startTurn(turn: TurnInput): Promise<void>;
  /** Restarts a failed ingestion only through a new call; a running one is left alone. */
  startIngest(input: IngestInput): Promise<void>;
  /** Succeeds when the compensation was started before, whatever became of it. */
  startCompensation(input: CompensateInput): Promise<void>;
  /** A running summary of the conversation is left alone. */
  startSummary(input: SummarizeInput): Promise<void>;
  /** Tells a turn to read what was submitted; one that waits for nothing, is closed or unknown is left alone. */
  wake(turnId: string): Promise<void>;
  executionState(workflowId: string): Promise<ExecutionState>;
  /** Asks for cancellation; a workflow that is closed or unknown is left alone. */
  cancel(workflowId: string): Promise<void>;
  /** Ends a workflow from outside; one that is closed or unknown is left alone. */
  terminate(workflowId: string, reason: string): Promise<void>;
}
