import { TurnkeeperError } from '../contracts/errors.ts';

/** A name or an address that only this machine's own programs reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || /^127(\.\d{1,3}){3}$/.test(host) || /^\[?::1\]?$/.test(host);
}

/**
 * Refuses what a page of another site makes a browser on this machine send: a request with another page's `Origin`, and one
 * to a name that was pointed at this machine.
 */
export function refuseForeignPages(headers: {
  host?: string | undefined;
  origin?: string | undefined;
}): void {
  const { host = '', origin } = headers;
  const server = `http://${host}`;
  if (!URL.canParse(server) || !isLoopback(new URL(server).hostname)) refuse('Host', host);
  if (origin !== undefined && origin !== server) refuse('Origin', origin);
}

function refuse(header: string, value: string): never {
  const message = `The header ${header} is ${JSON.stringify(value)}, which is not this server.`;
  throw new TurnkeeperError('origin_refused', message, { header });
}
