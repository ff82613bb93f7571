import { createServer } from 'node:net';
import type { App } from './context.ts';
import { isLoopback } from './loopback.ts';
import { TurnkeeperError } from '../contracts/errors.ts';
import { describeError } from '../contracts/thrown.ts';

/** Connections that are still busy so long after the end was asked for are cut. */
const CLOSING_MS = 3_000;
const IDLE_EVERY_MS = 50;

export interface Address {
  host: string;
  /** 0 for any that is free. */
  port: number;
}

/**
 * Nobody is asked who they are yet, so nobody from elsewhere may come.
 * @throws TurnkeeperError `invalid_setting` for an address that others reach
 */
export function requireLoopback(host: string): void {
  if (isLoopback(host)) return;
  const message = `TURNKEEPER_HOST is "${host}"; until there are API keys it must be of this machine alone: 127.0.0.1, ::1 or localhost.`;
  throw new TurnkeeperError('invalid_setting', message, { setting: 'TURNKEEPER_HOST' });
}

/**
 * For those who start much else before they listen.
 * @throws TurnkeeperError `invalid_setting` when nobody may or can listen there
 */
export async function requireFree({ host, port }: Address): Promise<void> {
  requireLoopback(host);
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen({ host, port }, resolve);
    });
  } catch (error) {
    throw notListening({ host, port }, error);
  } finally {
    server.close();
  }
}

/**
 * Answers where it listens.
 * @throws TurnkeeperError `invalid_setting` when it may not or cannot listen there
 */
export async function listen(app: App, { host, port }: Address): Promise<string> {
  requireLoopback(host);
  try {
    return await app.listen({ host, port });
  } catch (error) {
    throw notListening({ host, port }, error);
  }
}

function notListening({ host, port }: Address, error: unknown): TurnkeeperError {
  const reason = describeError(error);
  const message = `TURNKEEPER_HOST and PORT name ${host} and ${port}, where nothing can be served: ${reason}.`;
  return new TurnkeeperError('invalid_setting', message, { setting: 'PORT', host, port }, error);
}

/** Takes no more requests, ends streams, and answers what has come, within a few seconds. */
export async function closeGateway(app: App): Promise<void> {
  const { server } = app;
  // Node closes connections that are idle now, not those that become so.
  const idle = setInterval(() => server.closeIdleConnections(), IDLE_EVERY_MS);
  const late = setTimeout(() => {
    server.closeAllConnections();
    for (const socket of app.websocketServer.clients) socket.terminate();
  }, CLOSING_MS);
  try {
    await app.close();
  } finally {
    clearInterval(idle);
    clearTimeout(late);
  }
}
