/** Output of unknown origin as text: cut at the limit, at a whole character; what is no UTF-8 becomes U+FFFD. */
export function decodeOutput(bytes: Uint8Array, limit: number): { text: string; cut: boolean } {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const cut = bytes.byteLength > limit;
  // As part of a stream, a character that the cut goes through is kept back.
  return { text: decoder.decode(bytes.subarray(0, limit), { stream: cut }), cut };
}
