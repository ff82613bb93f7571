/**
 * A text as every index and the store keep it, of the same length: U+0000 (which PostgreSQL refuses) and halves of
 * surrogate pairs (which UTF-8 has not) become U+FFFD.
 */
export function storable(text: string): string {
  return text.replace(/[\0\p{Surrogate}]/gu, '\uFFFD');
}
