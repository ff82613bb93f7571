import { explain, listAssistants, listConversations, readInfo } from './api.js';
import { byId, h } from './dom.js';
import { remember } from './remember.js';
import { addressOf, currentRoute } from './route.js';
import { createComposer } from './view/composer.js';
import { showNewAssistant } from './view/new-assistant.js';
import { createMenu, showAbout, showConversations } from './view/side.js';
import { showStart } from './view/start.js';
import { showThread } from './view/thread.js';

const page = byId('page');
const scroller = byId('scroller');
const composerForm = byId('composer');
const menu = createMenu(byId('menu'), byId('side'));
const composer = createComposer(composerForm, (conversationId, turnId) => {
  location.hash = addressOf(conversationId, turnId);
});

/** Aborted when the page goes on to show something else. */
let shown = new AbortController();

async function show() {
  shown.abort();
  shown = new AbortController();
  const { signal } = shown;
  menu.close();
  try {
    const [info, assistants] = await Promise.all([readInfo(), listAssistants()]);
    if (signal.aborted) return;
    showAbout(byId('about'), info);
    composer.showAssistants(assistants);
    await showRoute(currentRoute(), { info, assistants, signal });
    await showSide(signal);
  } catch (error) {
    if (!signal.aborted) showProblem(error);
  }
}

/**
 * @param {import('./route.js').Route} route
 * @param {{ info: import('./api.js').Info, assistants: import('./api.js').Assistant[], signal: AbortSignal }} context
 */
async function showRoute(route, { info, assistants, signal }) {
  scroller.scrollTop = 0;
  const first = assistants.length === 0;
  if (route.view === 'conversation') {
    const names = new Map(assistants.map(({ id, definition }) => [id, definition.name]));
    const nameOf = (/** @type {string} */ id) => names.get(id) ?? 'Assistant';
    await showThread({ page, scroller }, route, { info, nameOf, signal });
    if (!first) composer.writeTo(route.conversationId);
  } else if (first || route.view === 'new-assistant') {
    composerForm.hidden = true;
    showNewAssistant(page, { first, onCreated: useAssistant });
  } else {
    showStart(page);
    composer.writeTo(null);
  }
}

/** @param {string} id */
async function useAssistant(id) {
  remember('assistant', id);
  if (location.hash === '#/') await show();
  else location.hash = '#/';
}

/** @param {AbortSignal} signal */
async function showSide(signal) {
  const route = currentRoute();
  const conversations = await listConversations();
  if (signal.aborted) return;
  const current = route.view === 'conversation' ? route.conversationId : null;
  showConversations(byId('conversations'), conversations, current);
}

/** @param {unknown} error */
function showProblem(error) {
  page.replaceChildren(
    h(
      'section',
      { class: 'welcome', role: 'alert' },
      h('h1', {}, 'This cannot be shown'),
      h('p', {}, explain(error)),
      h('button', { class: 'primary', type: 'button', onclick: () => void show() }, 'Try again'),
    ),
  );
}

byId('skip').addEventListener('click', () => byId('main').focus());
addEventListener('hashchange', () => void show());
await show();
