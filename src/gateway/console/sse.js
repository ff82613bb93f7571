/** @typedef {{ id: string, event: string, data: string }} SseMessage */

/**
 * Reads Server-Sent Events from bytes, message by message. Comments are passed over; what was cut off is no message.
 * @param {ReadableStream<Uint8Array>} body
 * @param {() => void} onBytes Called for whatever comes, heartbeats included.
 * @returns {AsyncGenerator<SseMessage>}
 */
export async function* readSse(body, onBytes) {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onBytes();
    const blocks = (rest + decoder.decode(value, { stream: true })).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const message = parse(block);
      if (message.data) yield message;
    }
  }
}

/** @param {string} block @returns {SseMessage} */
function parse(block) {
  const message = { id: '', event: 'message', data: '' };
  for (const line of block.split('\n')) {
    const [, field, value] = /^(id|event|data): ?(.*)$/s.exec(line) ?? [];
    if (field === 'id' || field === 'event' || field === 'data') message[field] = value ?? '';
  }
  return message;
}
