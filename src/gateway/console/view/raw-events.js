import { h, setText } from '../dom.js';
import { count } from '../format.js';

const SHOWN = 200;
const LONGEST = 300;

/** Events as they came, whatever their type; drawn only while somebody looks. */
export function createRawEvents() {
  /** @type {import('../watch.js').Watched['events']} */
  let events = [];
  const summary = h('summary', {}, 'Raw events');
  const list = h('ol', { class: 'events' });
  const element = h('details', { class: 'fold', ontoggle: draw }, summary, list);

  function draw() {
    const last = events.at(-1)?.number ?? 0;
    setText(summary, last > 0 ? `Raw events (${count(last)})` : 'Raw events');
    if (element.open) list.replaceChildren(...events.slice(-SHOWN).reverse().map(row));
  }

  return {
    element,
    /** @param {import('../watch.js').Watched} watched */
    update(watched) {
      events = watched.events;
      draw();
    },
  };
}

/** @param {import('../watch.js').Watched['events'][number]} entry */
function row({ number, event }) {
  const { type, ...fields } = event;
  const text = JSON.stringify(fields);
  const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  return h('li', {}, h('b', {}, `${number} ${type}`), ' ', h('code', {}, shown));
}
