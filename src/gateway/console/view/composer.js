import { createConversation, explain, Refusal, startTurn } from '../api.js';
import { h, setText } from '../dom.js';
import { forget, recall, remember, rememberInput, rememberSent } from '../remember.js';
import { addressOf } from '../route.js';
import { createWhenBusy } from './when-busy.js';

/** @typedef {import('../api.js').Assistant} Assistant */

const TITLE_LENGTH = 60;

/**
 * Where a turn is written and sent. What is written outlives a reload, and so does its key: what was sent over a connection
 * that broke is sent again as the same turn.
 * @param {HTMLElement} form
 * @param {(conversationId: string, turnId: string) => void} onStarted
 */
export function createComposer(form, onStarted) {
  /** @type {string | null} */
  let conversationId = null;
  const picker = h('select', { id: 'assistant', onchange: choose });
  const whenBusy = createWhenBusy();
  const input = h('textarea', {
    ...{ id: 'message', rows: '2', required: true, placeholder: 'Ask something' },
    ...{ oninput: keepDraft, onkeydown: sendByKeyboard },
  });
  const send = h('button', { class: 'primary', type: 'submit' }, 'Send');
  const problem = h('p', { class: 'problem', role: 'alert' });
  input.value = recall('draft') ?? '';
  form.append(
    h('label', { class: 'unseen', for: 'message' }, 'Message'),
    input,
    h(
      'div',
      { class: 'composer-row' },
      h('label', { for: 'assistant' }, 'Assistant'),
      picker,
      whenBusy.label,
      whenBusy.picker,
      h('span', { class: 'muted keys' }, 'Ctrl or ⌘ + Enter sends'),
      send,
    ),
    problem,
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void submit();
  });

  function choose() {
    remember('assistant', picker.value);
    forget('draft-key');
  }

  function keepDraft() {
    remember('draft', input.value);
    forget('draft-key');
    setText(problem, '');
  }

  /** @param {KeyboardEvent} event */
  function sendByKeyboard(event) {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    void submit();
  }

  async function submit() {
    const text = input.value.trim();
    if (text === '' || send.disabled) return;
    send.disabled = true;
    setText(problem, '');
    try {
      const turn = await start(text);
      input.value = '';
      forget('draft');
      forget('draft-key');
      onStarted(turn.conversationId, turn.id);
    } catch (error) {
      problem.replaceChildren(...complaint(error, conversationId));
    } finally {
      send.disabled = false;
    }
  }

  /** @param {string} text */
  async function start(text) {
    const key = recall('draft-key') ?? crypto.randomUUID();
    remember('draft-key', key);
    const sentAt = Date.now();
    const title = text.length > TITLE_LENGTH ? `${text.slice(0, TITLE_LENGTH)}…` : text;
    const conversation = conversationId ?? (await createConversation(title, key)).id;
    const request = { assistantId: picker.value, input: text, whenBusy: whenBusy.picker.value };
    const turn = await startTurn(conversation, request, key);
    rememberSent(turn.id, sentAt);
    if (turn.state === 'queued') rememberInput(turn.id, text);
    return turn;
  }

  return {
    /** @param {Assistant[]} assistants */
    showAssistants(assistants) {
      const chosen = recall('assistant') ?? assistants[0]?.id ?? '';
      picker.replaceChildren(
        ...assistants.map(({ id, definition }) =>
          h(
            'option',
            { value: id, selected: id === chosen },
            `${definition.name} · ${definition.model}`,
          ),
        ),
      );
    },
    /** @param {string | null} id Null begins a new conversation. */
    writeTo(id) {
      conversationId = id;
      form.hidden = false;
      setText(problem, '');
    },
  };
}

/** @param {unknown} error @param {string | null} conversationId @returns {(string | Node)[]} */
function complaint(error, conversationId) {
  if (!(error instanceof Refusal)) {
    return [explain(error), ' Send again: it will be the same turn, once.'];
  }
  const active = error.details['activeTurn'];
  if (typeof active !== 'string' || conversationId === null) return [error.message];
  return [
    error.message,
    ' ',
    h('a', { href: addressOf(conversationId, active) }, 'Show that turn'),
  ];
}
