import type { JsonObject } from '../contracts/json.ts';
import type { TurnEvent } from '../contracts/store.ts';
import { isObject, textParts } from './items.ts';

/** An event as every reader has it, whichever way it came. */
export type NumberedEvent = Pick<TurnEvent, 'number' | 'event'>;

/** Puts the texts of a turn's messages together from its events, as they come. */
export interface AnswerReader {
  read(event: NumberedEvent): void;
  /** Text of each message so far, in order. */
  texts(): string[];
}

/** Some text of a message, or, once the message is whole, all of it. */
interface Piece {
  number: number;
  message: string;
  text: string;
  whole: boolean;
}

/**
 * Reads the protocol: `turn.rewind { to }` takes back what came after that number; the item of
 * `response.output_item.done`, and those that `turn.folded` brings, take the place of what their deltas said.
 */
export function answerReader(): AnswerReader {
  let pieces: Piece[] = [];
  const replace = (number: number, item: unknown, whole: boolean) => {
    if (!isObject(item) || item['type'] !== 'message') return;
    const message = String(item['id']);
    pieces = pieces.filter((piece) => piece.whole || piece.message !== message);
    pieces.push({ number, message, text: textOf(item), whole });
  };
  return {
    read({ number, event }) {
      const { type, delta, items } = event;
      if (type === 'response.output_text.delta') {
        const message = String(event['item_id']);
        pieces.push({ number, message, text: String(delta), whole: false });
      } else if (type === 'response.output_item.done') {
        replace(number, event['item'], true);
      } else if (type === 'turn.folded' && Array.isArray(items)) {
        for (const item of items) replace(number, item, false);
      } else if (type === 'turn.rewind') {
        while ((pieces.at(-1)?.number ?? 0) > Number(event['to'])) pieces.pop();
      }
    },
    texts: () => joined(pieces),
  };
}

/** Text of a turn's last message, as these events tell it: all of the turn's, or as many as there are yet. */
export function answerText(events: Iterable<NumberedEvent>): string {
  const reader = answerReader();
  for (const event of events) reader.read(event);
  return reader.texts().at(-1) ?? '';
}

function textOf(item: JsonObject): string {
  return textParts(item as { type: string }, 'output_text').join('');
}

function joined(pieces: Piece[]): string[] {
  const messages: { text: string }[] = [];
  const open = new Map<string, { text: string }>();
  for (const { message, text, whole } of pieces) {
    const begun = whole ? undefined : open.get(message);
    if (begun) {
      begun.text += text;
      continue;
    }
    const added = { text };
    messages.push(added);
    if (!whole) open.set(message, added);
  }
  return messages.map(({ text }) => text);
}
