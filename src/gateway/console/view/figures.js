import { h, setText } from '../dom.js';
import { cost, count, duration } from '../format.js';
import { timingOf } from '../remember.js';

/** @typedef {import('../watch.js').Watched} Watched */

/** Times, tokens and cost of a turn. */
export function createFigures() {
  const element = h('dl', { class: 'figures' });
  const firstText = figure('First text', 'As this tab saw it, from sending');
  const total = figure('Total');
  const input = figure('Tokens in');
  const output = figure('Tokens out');
  const price = figure('Cost', 'By list prices');
  element.append(...[firstText, total, input, output, price].map(({ box }) => box));
  return {
    element,
    /** @param {Watched} watched @param {number} now Epoch milliseconds. */
    update({ turn, usage }, now) {
      const end = turn.sealedAt ? Date.parse(turn.sealedAt) : now;
      total.show(duration(end - Date.parse(turn.acceptedAt)));
      firstText.show(firstTextOf(turn.id));
      input.show(usage && count(usage.inputTokens), usage?.cachedTokens, 'cached');
      output.show(usage && count(usage.outputTokens), usage?.reasoningTokens, 'reasoning');
      price.show(typeof usage?.costUsd === 'number' ? cost(usage.costUsd) : null);
      price.box.hidden = typeof usage?.costUsd !== 'number';
    },
  };
}

/** @param {string} label @param {string} [hint] */
function figure(label, hint) {
  const value = h('dd', {});
  const note = h('dd', { class: 'note' });
  const box = h('div', { title: hint }, h('dt', {}, label), value, note);
  return {
    box,
    /** @param {string | null} text @param {number} [part] @param {string} [called] */
    show(text, part = 0, called = '') {
      setText(value, text ?? '–');
      setText(note, part > 0 ? `${count(part)} ${called}` : '');
    },
  };
}

/** @param {string} turnId */
function firstTextOf(turnId) {
  const timing = timingOf(turnId);
  return timing?.firstTextAt ? duration(timing.firstTextAt - timing.sentAt) : null;
}
