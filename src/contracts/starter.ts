import type { CompensateInput, IngestInput, SummarizeInput, TurnInput } from './turn.ts';

export type ExecutionState = 'running' | 'closed' | 'not_found';

const COMPENSATION = 'compensate:';

/** Workflow id of a turn's compensation. */
export function compensationId(turnId: string): string {
  return `${COMPENSATION}${turnId}`;
}

/** The turn that a workflow id of that form names. */
export function turnOfCompensation(workflowId: string): string {
  return workflowId.slice(COMPENSATION.length);
}

/** Types of our workflows, as Temporal knows them. */
export type WorkflowType = 'turn' | 'compensate' | 'summarize' | 'ingest';

/** A page of workflows that run. */
export interface RunningWorkflows {
  ids: string[];
  /** Where the next page begins; null behind the last one. */
  next: string | null;
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
  /** Workflows of a type that run on this task queue, some of them at a time; the list is some seconds late. */
  running(
    type: WorkflowType,
    page: { limit: number; after: string | null },
  ): Promise<RunningWorkflows>;
  /** Asks for cancellation; a workflow that is closed or unknown is left alone. */
  cancel(workflowId: string): Promise<void>;
  /** Ends a workflow from outside; one that is closed or unknown is left alone. */
  terminate(workflowId: string, reason: string): Promise<void>;
}
