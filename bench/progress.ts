const startedAt = Date.now();

/** What is going on, with the seconds since the start. */
export function progress(message: string): void {
  const seconds = Math.round((Date.now() - startedAt) / 1_000);
  process.stderr.write(`${String(seconds).padStart(4)} s  ${message}\n`);
}
