import type { Client } from '@temporalio/client';

const CLOSE_TIMEOUT_MS = 10_000;

/** What a turn's workflow cost Temporal. */
export interface HistoryCost {
  workflowTasks: number;
  events: number;
  historyBytes: number;
}

/** The row of a turn is sealed a moment before Temporal has taken the workflow's end: that is waited for. */
export async function readHistoryCost(client: Client, workflowId: string): Promise<HistoryCost> {
  const handle = client.workflow.getHandle(workflowId);
  // A turn that failed has a workflow that failed; its history is as good.
  await client
    .withDeadline(Date.now() + CLOSE_TIMEOUT_MS, () => handle.result())
    .catch(() => undefined);
  const { events } = await handle.fetchHistory();
  const { historySize } = await handle.describe();
  return {
    workflowTasks:
      events?.filter((event) => event.workflowTaskCompletedEventAttributes).length ?? 0,
    events: events?.length ?? 0,
    historyBytes: historySize ?? 0,
  };
}

/** What the activity failed with that a workflow is trying again, null where there is none. */
export async function pendingFailure(client: Client, workflowId: string): Promise<string | null> {
  const { raw } = await client.workflow.getHandle(workflowId).describe();
  return raw.pendingActivities?.[0]?.lastFailure?.message ?? null;
}
