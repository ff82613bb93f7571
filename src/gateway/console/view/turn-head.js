import { cancelTurn, explain } from '../api.js';
import { h, setText } from '../dom.js';
import { statusBadge } from './status.js';

const CONNECTIONS = {
  connecting: 'connecting…',
  live: 'live',
  reconnecting: 'reconnecting…',
  ended: '',
};

/**
 * How a turn stands, whether this page hears of it, and the button that cancels it.
 * @param {import('../api.js').Turn} turn
 */
export function createTurnHead(turn) {
  const badge = statusBadge(turn.status);
  const connection = h('span', { class: 'connection', role: 'status' });
  const cancel = h('button', { class: 'danger', type: 'button', onclick: ask }, 'Cancel');
  const problem = h('p', { class: 'problem', role: 'alert' });

  async function ask() {
    cancel.disabled = true;
    setText(problem, '');
    try {
      await cancelTurn(turn.id);
    } catch (error) {
      setText(problem, explain(error));
    }
    cancel.disabled = false;
  }

  return {
    element: h('div', { class: 'turn-head' }, badge.element, connection, cancel, problem),
    /** @param {import('../watch.js').Watched} watched */
    update(watched) {
      const { status, sealedAt } = watched.turn;
      badge.show(status);
      cancel.hidden = sealedAt !== null;
      setText(connection, CONNECTIONS[watched.connection]);
      connection.dataset['state'] = watched.connection;
    },
  };
}
