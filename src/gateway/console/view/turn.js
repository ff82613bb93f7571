import { h, setText } from '../dom.js';
import { words } from '../format.js';
import { watchTurn } from '../watch.js';
import { createActions } from './actions.js';
import { createAgain } from './again.js';
import { curlHint } from './curl.js';
import { createFigures } from './figures.js';
import { createRawEvents } from './raw-events.js';
import { createTimeline } from './timeline.js';
import { createTurnHead } from './turn-head.js';

/** @typedef {import('../watch.js').Watched} Watched */

/** How often the times of a turn that runs go on. */
const TICK_MS = 250;

/**
 * A turn as it happens: its answer, and beside it what it does.
 * @param {import('../api.js').Turn} turn
 * @param {{ input: string, info: import('../api.js').Info, signal: AbortSignal, onGrowth: (grow: () => void, answer: Element) => void, onBegun: () => Promise<void> }} options
 */
export function createTurnView(turn, { input, info, signal, onGrowth, onBegun }) {
  /** As the view was opened: of a turn that has ended one reads from the top. */
  const running = turn.sealedAt === null;
  let queued = turn.status === 'queued';
  const answer = createAnswer();
  const actions = createActions(turn);
  const again = createAgain(turn, input);
  const notes = h('p', { class: 'turn-note', role: 'status' });
  const head = createTurnHead(turn);
  const figures = createFigures();
  const timeline = createTimeline();
  const raw = createRawEvents();
  /** @type {Watched | undefined} */
  let last;

  const tick = () => {
    if (!last) return;
    figures.update(last, Date.now());
    timeline.update(last, Date.now());
  };
  /** @param {Watched} watched */
  const show = (watched) => {
    last = watched;
    if (queued && watched.turn.status !== 'queued') {
      queued = false;
      // Without it the question stays as it was.
      void onBegun().catch(() => undefined);
    }
    const grow = () => answer.update(watched);
    if (running) onGrowth(grow, answer.element);
    else grow();
    head.update(watched);
    actions.update(watched);
    again.update(watched);
    setText(notes, noteOf(watched));
    raw.update(watched);
    tick();
  };
  const timer = setInterval(() => {
    if (last && !last.turn.sealedAt) tick();
  }, TICK_MS);
  signal.addEventListener('abort', () => clearInterval(timer));
  watchTurn(turn, show, signal);

  const panel = h(
    'section',
    { class: 'panel', 'aria-label': 'What happened' },
    head.element,
    figures.element,
    timeline.element,
    webUiLink(turn, info),
    curlHint(turn, input),
    raw.element,
  );
  return { answer: h('div', {}, answer.element, actions.element, notes, again.element), panel };
}

/** The messages of a turn, as text: whatever a model writes, it is never markup. */
function createAnswer() {
  const element = h('div', {
    class: 'answer',
    role: 'log',
    'aria-live': 'polite',
    'aria-label': 'Answer',
  });
  return {
    element,
    /** @param {Watched} watched */
    update({ messages, turn, connection }) {
      const running = !turn.sealedAt && connection !== 'ended';
      element.setAttribute('aria-busy', String(running));
      element.classList.toggle('running', running);
      while (element.children.length > messages.length) element.lastElementChild?.remove();
      for (const [index, text] of messages.entries()) {
        const node = element.children[index] ?? element.appendChild(h('p', { class: 'message' }));
        setText(node, text);
      }
    },
  };
}

/** @param {import('../api.js').Turn} turn @param {import('../api.js').Info} info */
function webUiLink({ id }, { temporalUi, namespace }) {
  if (temporalUi === null) return null;
  const root = temporalUi.replace(/\/+$/, '');
  const href = `${root}/namespaces/${encodeURIComponent(namespace)}/workflows/${id}`;
  return h('a', { href, target: '_blank', rel: 'noopener', class: 'out' }, 'Workflow in Temporal');
}

/** @param {Watched} watched */
function noteOf({ turn, restarts, problem }) {
  if (problem !== null) return problem;
  if (turn.status === 'queued') return 'It waits until the turns before it have ended.';
  const why = [turn.reason && words(turn.reason), turn.message].filter(Boolean).join(': ');
  if (why) return `Ended ${words(turn.status)}: ${why}`;
  if (restarts === 0) return '';
  const times = restarts === 1 ? 'once' : `${restarts} times`;
  return `The answer was started over ${times}; what was taken back is gone from here.`;
}
