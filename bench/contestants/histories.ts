import type { Client } from '@temporalio/client';
import type { Turnkeeper } from '../../src/index.ts';
import type { TurnHistory } from '../contestant.ts';

/** What Temporal keeps of each turn of a conversation, all of which have ended. */
export async function historiesOf(
  conversation: string,
  { turns }: Turnkeeper,
  temporal: Client,
): Promise<TurnHistory[]> {
  const histories: TurnHistory[] = [];
  let cursor: string | null | undefined;
  do {
    const page = await turns.list(conversation, { limit: 100, ...(cursor && { cursor }) });
    for (const { id } of page.data) histories.push(await historyOf(temporal, id));
    cursor = page.nextCursor;
  } while (cursor);
  return histories;
}

export async function historyOf(temporal: Client, workflowId: string): Promise<TurnHistory> {
  const handle = temporal.workflow.getHandle(workflowId);
  // The last event is written after the turn was sealed.
  await handle.result();
  const [{ events }, { historySize }] = await Promise.all([
    handle.fetchHistory(),
    handle.describe(),
  ]);
  const tasks = events?.filter((event) => event.workflowTaskCompletedEventAttributes);
  return {
    workflowTasks: tasks?.length ?? 0,
    events: events?.length ?? 0,
    bytes: historySize ?? 0,
  };
}
