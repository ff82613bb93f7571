import { h } from '../dom.js';

/**
 * How to do the same by hand.
 * @param {import('../api.js').Turn} turn
 * @param {string} input
 */
export function curlHint({ id, conversationId, assistantId }, input) {
  const { origin } = location;
  const body = JSON.stringify({ assistantId, input });
  const commands = [
    '# start a turn; the same key starts it once, however often you send it',
    `curl ${origin}/api/conversations/${conversationId}/turns \\`,
    `  -H 'content-type: application/json' -H 'idempotency-key: ${shortKey()}' \\`,
    `  -d ${quoted(body)}`,
    '',
    '# follow this one; come back with ?after=<the last id you have>',
    `curl -N ${origin}/api/turns/${id}/events`,
    '',
    `curl -X POST ${origin}/api/turns/${id}/cancel`,
  ];
  return h(
    'details',
    { class: 'fold' },
    h('summary', {}, 'The same with curl'),
    h('pre', { tabindex: '0', 'aria-label': 'Commands' }, commands.join('\n')),
  );
}

function shortKey() {
  return `try-${crypto.randomUUID().slice(0, 8)}`;
}

/** @param {string} text */
function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
