import type { IncomingHttpHeaders } from 'node:http';
import { TurnkeeperError } from '../contracts/errors.ts';

/** A name or an address that only this machine's own programs reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || /^127(\.\d{1,3}){3}$/.test(host) || /^\[?::1\]?$/.test(host);
}

/**
 * Refuses what a page of another site makes a browser on this machine send: a request with another page's `Origin`, one that
 * the browser says is another site's, unless somebody follows a link to here, and one to a name that was pointed at this
 * machine. Pages of `guest`, an origin, may send what they like.
 */
export function refuseForeignPages(
  headers: IncomingHttpHeaders,
  guest: string | null = null,
): void {
  const { host = '', origin } = headers;
  const server = `http://${host}`;
  if (!URL.canParse(server) || !isLoopback(new URL(server).hostname)) refuse('Host', host);
  if (guest !== null && origin === guest) return;
  if (origin !== undefined && origin !== server) refuse('Origin', origin);
  const { 'sec-fetch-site': site, 'sec-fetch-mode': mode } = headers;
  if (mode !== 'navigate' && FOREIGN.has(String(site))) refuse('Sec-Fetch-Site', String(site));
}

const FOREIGN = new Set(['cross-site', 'same-site']);

function refuse(header: string, value: string): never {
  const message = `The header ${header} is ${JSON.stringify(value)}, which is not this server.`;
  throw new TurnkeeperError('origin_refused', message, { header });
}
