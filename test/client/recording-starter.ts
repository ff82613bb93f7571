import { TurnkeeperError } from '../../src/contracts/errors.ts';
import type { ExecutionState, TurnStarter, WorkflowType } from '../../src/contracts/starter.ts';
import type {
  CompensateInput,
  IngestInput,
  SummarizeInput,
  TurnInput,
} from '../../src/contracts/turn.ts';

/** Stands in for Temporal: keeps what it was asked, answers what it was told. */
export class RecordingStarter implements TurnStarter {
  readonly started: TurnInput[] = [];
  readonly ingested: IngestInput[] = [];
  readonly compensated: CompensateInput[] = [];
  readonly summarized: SummarizeInput[] = [];
  readonly cancelled: string[] = [];
  readonly terminated: string[] = [];
  readonly woken: string[] = [];
  readonly asked: string[] = [];
  /** What became of workflows. */
  readonly states = new Map<string, ExecutionState>();
  /** And of all others. */
  otherwise: ExecutionState = 'running';
  /** Ids of workflows that run, in pages of their own. */
  readonly listed: Record<WorkflowType, string[]> = {
    turn: [],
    compensate: [],
    summarize: [],
    ingest: [],
  };
  /** While true, nothing reaches Temporal. */
  away = false;
  /** What the workflow does when it is cancelled. */
  onCancel: (workflowId: string) => Promise<void> = () => Promise.resolve();

  async startTurn(input: TurnInput): Promise<void> {
    await this.reach();
    this.started.push(input);
  }

  async startIngest(input: IngestInput): Promise<void> {
    await this.reach();
    this.ingested.push(input);
  }

  async startCompensation(input: CompensateInput): Promise<void> {
    await this.reach();
    this.compensated.push(input);
  }

  async startSummary(input: SummarizeInput): Promise<void> {
    await this.reach();
    this.summarized.push(input);
  }

  async wake(turnId: string): Promise<void> {
    await this.reach();
    this.woken.push(turnId);
  }

  async executionState(workflowId: string): Promise<ExecutionState> {
    await this.reach();
    this.asked.push(workflowId);
    return this.states.get(workflowId) ?? this.otherwise;
  }

  async running(type: WorkflowType, { limit, after }: { limit: number; after: string | null }) {
    await this.reach();
    const from = Number(after ?? 0);
    const end = from + limit;
    const ids = this.listed[type];
    return { ids: ids.slice(from, end), next: end < ids.length ? String(end) : null };
  }

  async cancel(workflowId: string): Promise<void> {
    await this.reach();
    this.cancelled.push(workflowId);
    await this.onCancel(workflowId);
  }

  async terminate(workflowId: string): Promise<void> {
    await this.reach();
    this.terminated.push(workflowId);
  }

  startedIds(): string[] {
    return this.started.map(({ turnId }) => turnId);
  }

  private async reach(): Promise<void> {
    await Promise.resolve();
    if (this.away) throw new TurnkeeperError('temporal_unreachable', 'Temporal is away.');
  }
}
