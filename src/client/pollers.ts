import type { Client } from '@temporalio/client';

/** A worker asks for work at least once a minute; Temporal lists it for some minutes after the last time. */
const SEEN_WITHIN_MS = 90_000;
const CALL_TIMEOUT_MS = 5_000;

/** How many workers have asked for turns on this task queue in the last minute and a half. */
export async function countPollers(client: Client, taskQueue: string): Promise<number> {
  const { pollers } = await client.withDeadline(Date.now() + CALL_TIMEOUT_MS, () =>
    client.workflowService.describeTaskQueue({
      namespace: client.options.namespace,
      taskQueue: { name: taskQueue },
    }),
  );
  const seen = pollers.filter(({ lastAccessTime }) => {
    const seconds = Number(lastAccessTime?.seconds ?? 0);
    return Date.now() - seconds * 1_000 < SEEN_WITHIN_MS;
  });
  return new Set(seen.map(({ identity }) => identity)).size;
}
