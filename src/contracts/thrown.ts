/** What was thrown, in words. Anything can be thrown, also what has none. */
export function describeError(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error);
  } catch {
    return 'Something was thrown that cannot be put into words.';
  }
}
