/** What outlives a reload of this tab, and nothing else: the server has all the rest. */

/** @param {string} name @returns {string | null} */
export function recall(name) {
  return sessionStorage.getItem(name);
}

/** @param {string} name @param {string} value */
export function remember(name, value) {
  sessionStorage.setItem(name, value);
}

/** @param {string} name */
export function forget(name) {
  sessionStorage.removeItem(name);
}

/**
 * When this tab sent the turn, and when it saw the first text of it: epoch milliseconds.
 * @typedef {{ sentAt: number, firstTextAt?: number }} Timing
 */

/** @param {string} turnId @returns {Timing | null} Null in a tab that did not send it. */
export function timingOf(turnId) {
  return JSON.parse(recall(`timing:${turnId}`) ?? 'null');
}

/** @param {string} turnId @param {number} sentAt */
export function rememberSent(turnId, sentAt) {
  remember(`timing:${turnId}`, JSON.stringify({ sentAt }));
}

/** What a turn asks whose items are not in the conversation yet. @param {string} turnId @param {string} text */
export function rememberInput(turnId, text) {
  remember(`input:${turnId}`, text);
}

/** @param {string} turnId */
export function inputOf(turnId) {
  return recall(`input:${turnId}`) ?? '';
}

/** @param {string} turnId */
export function rememberFirstText(turnId) {
  const timing = timingOf(turnId);
  if (!timing || timing.firstTextAt) return;
  remember(`timing:${turnId}`, JSON.stringify({ ...timing, firstTextAt: Date.now() }));
}
