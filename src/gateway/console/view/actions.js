import { explain, submitActions } from '../api.js';
import { h, setText } from '../dom.js';

/** @typedef {import('../api.js').Action} Action */

/**
 * What a turn waits for, each call as a form of its own. What is being written in one stays when others are decided.
 * @param {import('../api.js').Turn} turn
 */
export function createActions(turn) {
  /** @type {Map<string, HTMLElement>} */
  const forms = new Map();
  const element = h('section', { class: 'actions', 'aria-label': 'Waiting for you' });
  return {
    element,
    /** @param {import('../watch.js').Watched} watched */
    update({ actions }) {
      const pending = actions.filter(({ state }) => state === 'pending');
      for (const [callId, form] of forms) {
        if (pending.some((action) => action.callId === callId)) continue;
        form.remove();
        forms.delete(callId);
      }
      for (const action of pending) {
        if (forms.has(action.callId)) continue;
        const form = actionForm(turn.id, action);
        forms.set(action.callId, form);
        element.append(form);
      }
      element.hidden = pending.length === 0;
    },
  };
}

/** @param {string} turnId @param {Action} action */
function actionForm(turnId, action) {
  const { kind, name } = action;
  const problem = h('p', { class: 'problem', role: 'alert' });
  const form = h('form', { class: 'action', 'aria-label': name });
  /** Sends what the button stands for; the form goes once the turn has it. @param {() => object} decision */
  const send = async (decision) => {
    const buttons = [...form.querySelectorAll('button')];
    for (const button of buttons) button.disabled = true;
    setText(problem, '');
    try {
      await submitActions(turnId, { ...decision(), partial: true });
    } catch (error) {
      setText(problem, error instanceof SyntaxError ? 'These are not JSON.' : explain(error));
      for (const button of buttons) button.disabled = false;
    }
  };
  form.addEventListener('submit', (event) => event.preventDefault());
  const parts = kind === 'approval' ? approvalParts(action, send) : outputParts(action, send);
  const title = kind === 'approval' ? `${name} needs approval` : `${name} waits for its output`;
  form.append(h('h2', {}, title), ...parts, problem);
  return form;
}

/** @param {Action} action @param {(decision: () => object) => Promise<void>} send */
function approvalParts({ callId, arguments: asked }, send) {
  const given = JSON.stringify(asked, null, 2);
  const args = h('textarea', {
    id: `arguments-${callId}`,
    rows: rowsOf(given),
    spellcheck: 'false',
  });
  args.value = given;
  const reason = h('input', { id: `reason-${callId}`, maxlength: '2000' });
  const approve = () => {
    const edited = args.value === given ? {} : { arguments: JSON.parse(args.value) };
    return { approvals: [{ callId, approve: true, ...edited }] };
  };
  const deny = () => {
    const why = reason.value.trim();
    return { approvals: [{ callId, approve: false, ...(why && { reason: why }) }] };
  };
  return [
    h('label', { for: args.id }, 'Arguments'),
    args,
    h('label', { for: reason.id }, 'Reason, where it is denied'),
    reason,
    h(
      'div',
      { class: 'action-row' },
      button('Approve', 'primary', () => send(approve)),
      button('Deny', 'danger', () => send(deny)),
    ),
  ];
}

/** @param {Action} action @param {(decision: () => object) => Promise<void>} send */
function outputParts({ callId, arguments: asked }, send) {
  const output = h('textarea', { id: `output-${callId}`, rows: '3' });
  return [
    h('pre', { tabindex: '0', 'aria-label': 'Arguments' }, JSON.stringify(asked, null, 2)),
    h('label', { for: output.id }, 'Output'),
    output,
    h(
      'div',
      { class: 'action-row' },
      button('Send output', 'primary', () =>
        send(() => ({ outputs: [{ callId, output: output.value }] })),
      ),
    ),
  ];
}

/** @param {string} label @param {string} look @param {() => Promise<void>} onClick */
function button(label, look, onClick) {
  return h('button', { class: look, type: 'button', onclick: () => void onClick() }, label);
}

/** @param {string} text */
function rowsOf(text) {
  return String(Math.min(12, text.split('\n').length));
}
