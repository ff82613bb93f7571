import { h } from '../dom.js';

/** @param {HTMLElement} page */
export function showStart(page) {
  page.replaceChildren(
    h(
      'section',
      { class: 'welcome' },
      h('h1', {}, 'Start a turn'),
      h(
        'p',
        {},
        'Ask something below, and watch the answer and the steps behind it. Reload in mid-answer, pull the plug, kill a worker: the turn goes on, and this page comes back to it.',
      ),
    ),
  );
}
