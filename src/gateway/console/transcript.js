/** @typedef {import('./stream.js').TurnEvent} TurnEvent */

/**
 * Some text of a message, or, once the message is whole, all of it.
 * @typedef {{ number: number, message: string, text: string, whole: boolean }} Piece
 */

/**
 * Puts the texts of a turn's messages together from its events, as they come: `turn.rewind { to }` takes back what came
 * after that number; the item of `response.output_item.done`, and those that `turn.folded` brings, take the place of what
 * their deltas said. The server's own reader is `src/conversation/answer-text.ts`; a test holds the two together.
 */
export function createTranscript() {
  /** @type {Piece[]} */
  let pieces = [];

  /** @param {number} number @param {any} item @param {boolean} whole */
  const replace = (number, item, whole) => {
    if (item?.type !== 'message') return;
    const message = String(item.id);
    pieces = pieces.filter((piece) => piece.whole || piece.message !== message);
    pieces.push({ number, message, text: messageText(item), whole });
  };

  /** @type {Record<string, (number: number, event: TurnEvent) => void>} */
  const readers = {
    'response.output_text.delta': (number, { item_id: message, delta }) => {
      pieces.push({ number, message: String(message), text: String(delta), whole: false });
    },
    'response.output_item.done': (number, { item }) => replace(number, item, true),
    'turn.folded': (number, { items }) => {
      for (const item of Array.isArray(items) ? items : []) replace(number, item, false);
    },
    'turn.rewind': (_, { to }) => {
      while ((pieces.at(-1)?.number ?? 0) > Number(to)) pieces.pop();
    },
  };

  return {
    /** @param {number} number @param {TurnEvent} event */
    read: (number, event) => readers[event.type]?.(number, event),
    /** Text of each message so far, in order. */
    texts: () => joined(pieces),
  };
}

/**
 * What a message item says.
 * @param {{ content?: unknown }} item
 */
export function messageText({ content }) {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map(({ text }) => (typeof text === 'string' ? text : '')).join('');
}

/** @param {Piece[]} pieces */
function joined(pieces) {
  /** @type {string[]} */
  const texts = [];
  const open = new Map();
  for (const { message, text, whole } of pieces) {
    const place = whole ? undefined : open.get(message);
    if (place !== undefined) texts[place] += text;
    else {
      if (!whole) open.set(message, texts.length);
      texts.push(text);
    }
  }
  return texts;
}
