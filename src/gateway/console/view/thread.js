import { listItems, listTurns } from '../api.js';
import { h, setText } from '../dom.js';
import { clock } from '../format.js';
import { inputOf } from '../remember.js';
import { addressOf } from '../route.js';
import { messageText } from '../transcript.js';
import { earlierMessages } from './earlier.js';
import { statusBadge } from './status.js';
import { createTurnView } from './turn.js';

/** @typedef {import('../api.js').Turn} Turn */
/** @typedef {import('../api.js').Item} Item */
/** @typedef {{ info: import('../api.js').Info, nameOf: (assistantId: string) => string, signal: AbortSignal }} Context */

/** How near the end of an answer has to be to the edge to be kept in sight as it grows, pixels. */
const NEAR = 96;

/**
 * Shows the turns of a conversation: one of them as it happens, the newest unless asked otherwise, of the others what was
 * said.
 * @param {{ page: HTMLElement, scroller: HTMLElement }} place
 * @param {{ conversationId: string, turnId: string | null }} which
 * @param {Context} context
 */
export async function showThread({ page, scroller }, { conversationId, turnId }, context) {
  const [turns, items] = await Promise.all([listTurns(conversationId), listItems(conversationId)]);
  if (context.signal.aborted) return;
  const watchedId = turnId ?? turns.at(-1)?.id;
  const replaced = new Set(turns.map(({ origin }) => origin?.turnId));
  const isShown = (/** @type {Turn} */ { id }) => id === watchedId || !replaced.has(id);
  const itemsOf = (/** @type {Turn} */ turn) =>
    items.filter((entry) => entry.turnId === turn.id).map(({ item }) => item);
  const articles = turns
    .filter(isShown)
    .map((turn) =>
      turn.id === watchedId
        ? watchedTurn(turn, itemsOf(turn), scroller, context)
        : quietTurn(turn, itemsOf(turn), context),
    );
  const shown = [...earlierMessages(items), ...articles];
  page.replaceChildren(...(shown.length > 0 ? shown : [nothingYet()]));
  page.querySelector('.watched')?.scrollIntoView({ block: 'start' });
}

/** @param {Turn} turn @param {Item[]} items @param {HTMLElement} scroller @param {Context} context */
function watchedTurn(turn, items, scroller, { info, nameOf, signal }) {
  const input = inputIn(turn, items);
  const onGrowth = keepingInSight(scroller);
  const asked = question(input, turn);
  /** Only then what it asks is in the conversation. */
  const onBegun = async () => {
    const all = await listItems(turn.conversationId);
    const own = all.filter(({ turnId }) => turnId === turn.id).map(({ item }) => item);
    setText(/** @type {Node} */ (asked.firstChild), inputIn(turn, own));
  };
  const { answer, panel } = createTurnView(turn, { input, info, signal, onGrowth, onBegun });
  const said = h('div', {}, asked, speaker(nameOf(turn.assistantId)), answer);
  return h('article', { class: 'turn watched' }, said, panel);
}

/** @param {Turn} turn @param {Item[]} items @param {Context} context */
function quietTurn(turn, items, { nameOf }) {
  const answers = textsBy('assistant', items).map((text) => h('p', { class: 'message' }, text));
  const href = addressOf(turn.conversationId, turn.id);
  const foot = h(
    'p',
    { class: 'turn-foot' },
    statusBadge(turn.status).element,
    h('a', { href }, 'Details'),
  );
  const said = h('div', { class: 'answer' }, ...answers);
  const input = inputIn(turn, items);
  return h(
    'article',
    { class: 'turn' },
    question(input, turn),
    speaker(nameOf(turn.assistantId)),
    said,
    foot,
  );
}

/** @param {string} text @param {Turn} turn */
function question(text, { acceptedAt }) {
  const time = h('time', { datetime: acceptedAt }, clock(acceptedAt));
  return h('div', { class: 'question' }, h('p', { class: 'message' }, text), time);
}

/** @param {string} name */
function speaker(name) {
  return h('h2', { class: 'speaker' }, name);
}

function nothingYet() {
  return h('p', { class: 'muted' }, 'Nothing was said here yet.');
}

/** @param {Turn} turn @param {Item[]} items */
function inputIn({ id }, items) {
  return textsBy('user', items).join('\n\n') || inputOf(id);
}

/** @param {string} role @param {Item[]} items */
function textsBy(role, items) {
  return items.filter((item) => item.type === 'message' && item.role === role).map(messageText);
}

/**
 * Whoever sees the end of an answer goes on seeing it; whoever has scrolled away is left in peace.
 * @param {HTMLElement} scroller
 * @returns {(grow: () => void, answer: Element) => void}
 */
function keepingInSight(scroller) {
  return (grow, answer) => {
    const beyond = () =>
      answer.getBoundingClientRect().bottom - scroller.getBoundingClientRect().bottom + NEAR;
    const inSight = beyond() < NEAR;
    grow();
    if (inSight && beyond() > 0) scroller.scrollTop += beyond();
  };
}
