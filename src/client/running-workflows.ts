import type { Client } from '@temporalio/client';
import type { RunningWorkflows, WorkflowType } from '../contracts/starter.ts';

/** One page of the workflows of a type that run on this task queue, as Temporal lists them: some seconds late. */
export async function runningWorkflows(
  client: Client,
  taskQueue: string,
  type: WorkflowType,
  { limit, after }: { limit: number; after: string | null },
): Promise<RunningWorkflows> {
  const { executions, nextPageToken } = await client.workflowService.listWorkflowExecutions({
    namespace: client.options.namespace,
    query: `WorkflowType = '${type}' AND ExecutionStatus = 'Running' AND TaskQueue = ${quoted(taskQueue)}`,
    pageSize: limit,
    ...(after !== null && { nextPageToken: Buffer.from(after, 'base64') }),
  });
  const ids = executions.flatMap(({ execution }) => execution?.workflowId ?? []);
  const next = nextPageToken.length > 0 ? Buffer.from(nextPageToken).toString('base64') : null;
  return { ids, next };
}

function quoted(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
