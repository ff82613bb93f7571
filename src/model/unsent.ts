const CODES = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Whether there was no connection, as the error below a failed fetch says. One that broke may have carried the request. */
export function wasNotConnected(error: unknown): boolean {
  // Of several addresses none could be connected to.
  if (error instanceof AggregateError) return true;
  if (!(error instanceof Error)) return false;
  const { code = '', syscall }: NodeJS.ErrnoException = error;
  if (syscall === 'connect' || syscall === 'getaddrinfo') return true;
  return CODES.has(code) || /CERT|^UNABLE_TO_VERIFY/.test(code);
}
