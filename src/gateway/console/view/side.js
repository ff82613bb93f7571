import { h } from '../dom.js';
import { clock } from '../format.js';
import { addressOf } from '../route.js';

/**
 * @param {HTMLElement} list
 * @param {import('../api.js').Conversation[]} conversations
 * @param {string | null} currentId
 */
export function showConversations(list, conversations, currentId) {
  list.replaceChildren(
    ...conversations.map((conversation) => {
      const { id, createdAt } = conversation;
      const current = id === currentId ? 'page' : null;
      return h(
        'li',
        {},
        h(
          'a',
          { href: addressOf(id), 'aria-current': current },
          h('span', { class: 'title' }, titleOf(conversation)),
          h('time', { datetime: createdAt }, clock(createdAt)),
        ),
      );
    }),
  );
}

/** @param {import('../api.js').Conversation} conversation */
function titleOf({ id, endUser, metadata }) {
  const { title } = metadata;
  return typeof title === 'string' && title ? title : (endUser ?? `Conversation ${id.slice(0, 8)}`);
}

/** @param {HTMLElement} place @param {import('../api.js').Info} info */
export function showAbout(place, { version, runsOn }) {
  place.replaceChildren(
    h(
      'details',
      {},
      h('summary', {}, `Turnkeeper ${version}`),
      h('ul', {}, ...runsOn.map((part) => h('li', {}, part))),
    ),
  );
}

/** The list of conversations on a narrow screen, opened and closed. @param {HTMLElement} menu @param {HTMLElement} side */
export function createMenu(menu, side) {
  const show = (/** @type {boolean} */ open) => {
    menu.setAttribute('aria-expanded', String(open));
    side.classList.toggle('open', open);
  };
  menu.addEventListener('click', () => show(menu.getAttribute('aria-expanded') !== 'true'));
  side.addEventListener('keydown', ({ key }) => {
    if (key !== 'Escape') return;
    show(false);
    menu.focus();
  });
  return { close: () => show(false) };
}
