/** @param {number} ms */
export function duration(ms) {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.floor((ms % 60_000) / 1_000)} s`;
}

const counts = new Intl.NumberFormat('en');

/** @param {number} value */
export function count(value) {
  return counts.format(value);
}

/** @param {number} dollars */
export function cost(dollars) {
  return `$${dollars.toFixed(dollars < 0.1 ? 5 : 2)}`;
}

/** @param {string} iso */
export function clock(iso) {
  const time = new Date(iso);
  const today = time.toDateString() === new Date().toDateString();
  const hours = { hour: '2-digit', minute: '2-digit' };
  return new Intl.DateTimeFormat(
    undefined,
    /** @type {Intl.DateTimeFormatOptions} */ (
      today ? hours : { day: 'numeric', month: 'short', ...hours }
    ),
  ).format(time);
}

/**
 * `requires_action` → `requires action`
 * @param {string} word
 */
export function words(word) {
  return word.replaceAll('_', ' ');
}
