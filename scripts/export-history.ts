import type { Client } from '@temporalio/client';
import { homedir, hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { historyToJson } from '../src/history-json.ts';

/** Processes name themselves and their own queues `pid@host`. */
const PROCESS_NAME = /\b\d+@[\w.-]+/g;
/** Paths of sources; nothing compares them. */
const STACK_TRACE = 'stackTrace';

/** A workflow's history as `temporal workflow show --output json` prints it, without traces of this machine. */
export async function exportHistory(client: Client, workflowId: string): Promise<string> {
  const handle = client.workflow.getHandle(workflowId);
  // However it ended: the store's row is sealed a moment before Temporal has taken the end.
  await handle.result().catch(() => undefined);
  const exported = withoutMachine(historyToJson(await handle.fetchHistory()));
  const text = `${JSON.stringify(exported, null, 2)}\n`;
  refuseTraces(text + decodedPayloads(exported));
  return text;
}

function withoutMachine(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(PROCESS_NAME, '1@host');
  if (Array.isArray(value)) return value.map(withoutMachine);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => key !== STACK_TRACE);
  return Object.fromEntries(entries.map(([key, part]) => [key, withoutMachine(part)]));
}

/** Payloads are base64, and nobody would see what they hold. */
function decodedPayloads(value: unknown): string {
  if (typeof value !== 'object' || value === null) return '';
  return Object.entries(value)
    .map(([key, part]: [string, unknown]) =>
      key === 'data' && typeof part === 'string'
        ? Buffer.from(part, 'base64').toString()
        : decodedPayloads(part),
    )
    .join('\n');
}

function refuseTraces(text: string): void {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const traces = [root, `${homedir()}/`, `@${hostname()}`].filter((trace) => text.includes(trace));
  if (traces.length > 0) throw new Error(`The history tells of this machine: ${traces.join(', ')}`);
}
