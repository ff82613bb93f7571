import { temporal } from '@temporalio/proto';
import type { World } from './world.ts';

type History = temporal.api.history.v1.IHistory;

/** A turn's history once Temporal has closed it, a moment after the row was sealed. */
export async function closedHistory(
  { temporal: client }: World,
  workflowId: string,
): Promise<History> {
  const handle = client.workflow.getHandle(workflowId);
  // However it ended.
  await handle.result().catch(() => undefined);
  return handle.fetchHistory();
}

/** What the activities of that name were given, in the order they were scheduled. */
export function activityInputs({ events }: History, name: string): unknown[] {
  return (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) => {
    if (scheduled?.activityType?.name !== name) return [];
    const [payload] = scheduled.input?.payloads ?? [];
    return [JSON.parse(Buffer.from(payload?.data ?? []).toString()) as unknown];
  });
}

/** Activities by name, with the line that the Web UI shows for each. */
export function activitySummaries({ events }: History): [name: string, summary: string | null][] {
  return (events ?? []).flatMap(
    ({ activityTaskScheduledEventAttributes: scheduled, userMetadata }) => {
      if (!scheduled) return [];
      const data = userMetadata?.summary?.data;
      const summary = data ? (JSON.parse(Buffer.from(data).toString()) as string) : null;
      return [[scheduled.activityType?.name ?? '', summary]];
    },
  );
}

/** Everything that is kept in a history as bytes, as text. */
export function decodedPayloads(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (typeof value !== 'object' || value === null) return '';
  return Object.values(value).map(decodedPayloads).join('\n');
}

export interface HistoryCost {
  events: number;
  workflowTasks: number;
  /** Encoded size, without what depends on the machine. */
  bytes: number;
}

export function costOf(history: History): HistoryCost {
  const events = history.events ?? [];
  const { History: Message } = temporal.api.history.v1;
  return {
    events: events.length,
    workflowTasks: events.filter((event) => event.workflowTaskCompletedEventAttributes).length,
    bytes: Message.encode(
      Message.fromObject(machineless(Message.toObject(Message.fromObject(history)))),
    ).finish().length,
  };
}

/** Processes are named `pid@host`, and so are their own queues. */
const PROCESS_NAME = /^\d+@.+$/;
const FIXED_NAME = 'process';

function machineless(value: unknown): Record<string, unknown>;
function machineless(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(PROCESS_NAME, FIXED_NAME);
  if (Array.isArray(value)) return value.map((element: unknown) => machineless(element));
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  // Numbers of 64 bits are objects with methods.
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, machineless(part)]));
}
