import type { Item, Json } from '../../contracts/json.ts';
import { isObject } from '../items.ts';
import type { Draft } from './draft.ts';

/** As OpenAI documents it. */
const IDLE_MS = 20 * 60_000;

/** Tells calls whose container nobody has used for so long that it is gone, by the newest item's time. */
export function expiredContainers(drafts: Draft[]): (item: Item) => boolean {
  const lastUsed = new Map<Json | undefined, number>();
  let newest = 0;
  for (const { entry } of drafts) {
    const time = entry.createdAt.getTime();
    newest = Math.max(newest, time);
    if (isCode(entry.item)) {
      const container = entry.item['container_id'];
      lastUsed.set(container, Math.max(time, lastUsed.get(container) ?? 0));
    }
  }
  return (item) => isCode(item) && newest - (lastUsed.get(item['container_id']) ?? 0) > IDLE_MS;
}

function isCode(item: Item): boolean {
  return isObject(item) && item.type === 'code_interpreter_call';
}

/** What was run and what it printed, in the assistant's words. Without an id: the provider knows it as something else. */
export function toldCode({ code, outputs }: Item): Item {
  const logs = Array.isArray(outputs) ? outputs.flatMap(logsOf) : [];
  const ran = `[Ran code in a container that has expired]\n${typeof code === 'string' ? code : ''}`;
  const text = logs.length > 0 ? `${ran}\n[Output]\n${logs.join('\n')}` : ran;
  const part = { type: 'output_text', text, annotations: [] };
  return { type: 'message', role: 'assistant', status: 'completed', content: [part] };
}

function logsOf(output: Json): string[] {
  return isObject(output) && typeof output['logs'] === 'string' ? [output['logs']] : [];
}
