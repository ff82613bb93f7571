import { h } from '../dom.js';
import { messageText } from '../transcript.js';

/**
 * What was said in a conversation outside of its turns: what a branch begins with, and what was added.
 * @param {import('../api.js').ConversationItem[]} items
 */
export function earlierMessages(items) {
  const said = items.filter(({ turnId, item }) => turnId === null && item.type === 'message');
  if (said.length === 0) return [];
  const messages = said.map(({ item }) => {
    const message = h('p', { class: 'message' }, messageText(item));
    return h('div', { class: item.role === 'user' ? 'question' : 'answer' }, message);
  });
  return [h('article', { class: 'turn earlier', 'aria-label': 'Earlier' }, ...messages)];
}
