import type { JsonObject } from '../../contracts/json.ts';
import type { TurnEvent } from '../../contracts/store.ts';
import { printable } from '../services/terminal.ts';
import type { Terminal } from '../services/terminal.ts';

/** A turn as its stream tells it. */
export interface TurnView {
  show(event: TurnEvent): void;
  /** Text of the last message, without what was taken back. */
  text(): string;
  /** Pieces of text shown since the last rewind. */
  deltas(): number;
  rewinds(): number;
}

export function createTurnView(terminal: Terminal): TurnView {
  const { style } = terminal;
  let text = '';
  let deltas = 0;
  let calls = 0;
  let rewinds = 0;

  const show: Record<string, (event: JsonObject) => void> = {
    'response.created': () => terminal.status('waiting for the model'),
    'response.output_item.added': ({ item }) => {
      if (typeOf(item) === 'message') text = '';
    },
    'response.output_text.delta': ({ delta }) => {
      text += String(delta);
      deltas += 1;
      terminal.text(printable(String(delta)));
    },
    'response.output_item.done': ({ item }) => {
      if (typeOf(item) !== 'function_call') return;
      calls += 1;
      terminal.line(`   ${style.cyan('→')} ${describeCall(item as JsonObject)}`);
    },
    'response.completed': () => {
      if (calls > 0)
        terminal.status(calls === 1 ? 'running the tool' : `running ${calls} tools at once`);
      calls = 0;
    },
    'turn.tool_progress': ({ message }) =>
      terminal.line(`     ${style.dim(printable(String(message)))}`),
    'turn.rewind': () => {
      rewinds += 1;
      terminal.line(
        `   ${style.yellow('↺ rewind: the text above is taken back, and the answer begins anew')}`,
      );
      [text, deltas, calls] = ['', 0, 0];
    },
  };
  return {
    show: ({ event }) => show[event.type]?.(event),
    text: () => text,
    deltas: () => deltas,
    rewinds: () => rewinds,
  };
}

function typeOf(item: unknown): unknown {
  return (item as JsonObject | null | undefined)?.['type'];
}

/** `time_in_zone(Asia/Tokyo)`. */
function describeCall(item: JsonObject): string {
  return printable(`${String(item['name'])}(${valuesOf(String(item['arguments']))})`);
}

function valuesOf(json: string): string {
  try {
    const values = Object.values(JSON.parse(json) as JsonObject);
    return values
      .map((value) => (typeof value === 'string' ? value : JSON.stringify(value)))
      .join(', ');
  } catch {
    return json;
  }
}
