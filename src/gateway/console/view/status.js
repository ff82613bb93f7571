import { h, setText } from '../dom.js';
import { words } from '../format.js';

/** @param {string} status */
export function statusBadge(status) {
  const label = h('span', {});
  const element = h('span', { class: 'badge' }, label);
  /** @param {string} next */
  const show = (next) => {
    element.dataset['status'] = next;
    setText(label, words(next));
  };
  show(status);
  return { element, show };
}
