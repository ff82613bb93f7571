/**
 * Where the page stands; all of it is in the address, so that a reload comes back to it.
 * @typedef {{ view: 'start' } | { view: 'new-assistant' } | { view: 'conversation', conversationId: string, turnId: string | null }} Route
 */

const CONVERSATION = /^#\/conversations\/([\w-]+)(?:\/turns\/([\w-]+))?$/;

/** @returns {Route} */
export function currentRoute() {
  if (location.hash === '#/assistants/new') return { view: 'new-assistant' };
  const [, conversationId, turnId = null] = CONVERSATION.exec(location.hash) ?? [];
  return conversationId ? { view: 'conversation', conversationId, turnId } : { view: 'start' };
}

/** @param {string} conversationId @param {string | null} [turnId] */
export function addressOf(conversationId, turnId = null) {
  const conversation = `#/conversations/${conversationId}`;
  return turnId ? `${conversation}/turns/${turnId}` : conversation;
}
