import { editTurn, explain, regenerateTurn, retryTurn } from '../api.js';
import { h, setText } from '../dom.js';
import { addressOf } from '../route.js';

/** @typedef {import('../api.js').Turn} Turn */

/**
 * What can be made of a turn that has ended: the rest of it, another answer, or a branch with another question. What was sent
 * over a connection that broke is sent again as the same turn.
 * @param {Turn} turn
 * @param {string} input
 */
export function createAgain(turn, input) {
  const retry = button('Retry', (key) => retryTurn(turn.id, key));
  const regenerate = button('Regenerate', (key) => regenerateTurn(turn.id, key));
  const edit = h('button', { type: 'button', 'aria-expanded': 'false', onclick: toggle }, 'Edit');
  const text = h('textarea', { rows: '2', 'aria-label': 'Another question', oninput: renew });
  text.value = input;
  const branch = button('Ask this instead', (key) => editTurn(turn.id, text.value, key));
  const form = h('div', { class: 'edit', hidden: true }, text, branch);
  const problem = h('p', { class: 'problem', role: 'alert' });
  const buttons = h('div', { class: 'buttons' }, retry, regenerate, edit);
  let editKey = crypto.randomUUID();

  /** Another text is another request. */
  function renew() {
    editKey = crypto.randomUUID();
  }

  function toggle() {
    form.hidden = !form.hidden;
    edit.setAttribute('aria-expanded', String(!form.hidden));
    if (!form.hidden) text.focus();
  }

  /** @param {string} label @param {(key: string) => Promise<Turn>} make */
  function button(label, make) {
    const key = crypto.randomUUID();
    const element = h('button', { type: 'button', onclick: () => void ask() }, label);
    const ask = async () => {
      element.disabled = true;
      setText(problem, '');
      try {
        const made = await make(element === branch ? editKey : key);
        location.hash = addressOf(made.conversationId, made.id);
      } catch (error) {
        setText(problem, explain(error));
      }
      element.disabled = false;
    };
    return element;
  }

  const element = h('div', { class: 'again', hidden: true }, buttons, form, problem);
  return {
    element,
    /** @param {import('../watch.js').Watched} watched */
    update({ turn: { sealedAt, status } }) {
      element.hidden = sealedAt === null;
      retry.hidden = status === 'completed';
    },
  };
}
