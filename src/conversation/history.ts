import type { RunToolInput, ToolPolicy } from '../contracts/turn.ts';

/** As much of a workflow's history as is read here. */
export interface TurnHistory {
  events?: HistoryEvent[] | null;
}

interface HistoryEvent {
  activityTaskScheduledEventAttributes?: {
    activityType?: { name?: string | null } | null;
    input?: { payloads?: { data?: Uint8Array | null }[] | null } | null;
  } | null;
}

export interface CalledTool {
  name: string;
  policy: ToolPolicy;
}

/** Tools that a turn called and that were offered to the model then, each once. Throws on inputs that are no JSON. */
export function calledTools({ events }: TurnHistory): CalledTool[] {
  const called = new Map<string, CalledTool>();
  for (const { activityTaskScheduledEventAttributes: scheduled } of events ?? []) {
    const data = scheduled?.input?.payloads?.[0]?.data;
    if (scheduled?.activityType?.name !== 'runTool' || !data) continue;
    const { name, policy } = (JSON.parse(new TextDecoder().decode(data)) as RunToolInput).call;
    if (policy !== null) called.set(`${name} ${policy}`, { name, policy });
  }
  return [...called.values()];
}
