import { h, setText } from '../dom.js';
import { count, duration, words } from '../format.js';

/** @typedef {import('../api.js').Step} Step */
/** @typedef {import('../watch.js').Watched} Watched */

/** Below that a bar would not be seen, percent. */
const LEAST_WIDTH = 0.6;

/** The steps of a turn, each a bar from its start to its end. */
export function createTimeline() {
  /** @type {Map<string, ReturnType<typeof createRow>>} */
  const rows = new Map();
  const list = h('ol', { class: 'timeline' });
  const empty = h('p', { class: 'muted' }, 'No step yet.');
  const element = h('div', {}, empty, list);

  return {
    element,
    /** @param {Watched} watched @param {number} now Epoch milliseconds. */
    update(watched, now) {
      const { steps, turn } = watched;
      const from = Date.parse(turn.acceptedAt);
      const to = turn.sealedAt ? lastOf(steps, Date.parse(turn.sealedAt)) : now;
      empty.hidden = steps.length > 0;
      for (const step of steps) {
        const row = rows.get(step.key) ?? addRow(step.key);
        row.update(step, watched, { from, to: Math.max(to, from + 1) });
      }
    },
  };

  /** @param {string} key */
  function addRow(key) {
    const row = createRow();
    rows.set(key, row);
    list.append(row.element);
    return row;
  }
}

/** What is undone comes after the end of the turn. @param {Step[]} steps @param {number} sealedAt */
function lastOf(steps, sealedAt) {
  return Math.max(
    sealedAt,
    ...steps.map(({ settledAt }) => (settledAt ? Date.parse(settledAt) : 0)),
  );
}

function createRow() {
  const name = h('span', { class: 'step-name' });
  const time = h('span', { class: 'step-time' });
  const bar = h('span', { class: 'bar-fill' });
  const detail = h('span', { class: 'step-detail' });
  const track = h('span', { class: 'bar-track', 'aria-hidden': 'true' }, bar);
  const element = h('li', { class: 'step' }, name, time, track, detail);
  return {
    element,
    /** @param {Step} step @param {Watched} watched @param {{ from: number, to: number }} span */
    update(step, watched, { from, to }) {
      const start = Math.max(from, Date.parse(step.startedAt));
      const end = Math.max(start, step.settledAt ? Date.parse(step.settledAt) : to);
      const share = (/** @type {number} */ ms) => (100 * ms) / (to - from);
      const left = Math.min(share(start - from), 100 - LEAST_WIDTH);
      bar.style.setProperty('--left', `${left}%`);
      bar.style.setProperty('--width', `${Math.max(share(end - start), LEAST_WIDTH)}%`);
      element.dataset['status'] = step.tool?.outcome === 'failed' ? 'failed' : step.status;
      setText(name, nameOf(step));
      setText(time, `+${duration(start - from)} · ${duration(end - start)}`);
      setText(detail, detailsOf(step, watched).join(' · '));
    },
  };
}

const KINDS = {
  retrieve: 'Retrieval',
  respond: 'Model',
  tool: 'Tool',
  compensate: 'Undo',
  repair: 'Repair',
};

/** @param {Step} step */
function nameOf({ kind, model, tool }) {
  const what = kind in KINDS ? KINDS[/** @type {keyof KINDS} */ (kind)] : kind;
  const which = tool?.name ?? model;
  return which ? `${what} ${which}` : what;
}

/** @param {Step} step @param {Watched} watched */
function detailsOf(step, { usage, progress }) {
  const calls = usage?.calls.filter((call) => call.step === step.key) ?? [];
  const sum = (/** @type {'inputTokens' | 'outputTokens'} */ field) =>
    calls.reduce((total, call) => total + call[field], 0);
  const said = step.tool && step.status === 'open' ? progress.get(step.tool.callId) : undefined;
  return [
    step.status === 'open' ? 'running' : words(step.tool?.outcome ?? step.status),
    calls.length > 0 ? `${count(sum('inputTokens'))} in, ${count(sum('outputTokens'))} out` : null,
    step.attempts > 1 ? `${step.attempts} attempts` : null,
    step.repairs ? repairsOf(step.repairs) : null,
    step.error ? `${words(step.error.reason)}: ${step.error.message}` : null,
    said ?? null,
  ].filter((part) => part !== null);
}

/** What the model was not shown as it is stored. @param {NonNullable<Step['repairs']>} repairs */
function repairsOf({ total, listed }) {
  const rules = [...new Set(listed.map(({ rule }) => words(rule)))].join(', ');
  return `${count(total)} of the stored items: ${rules}`;
}
