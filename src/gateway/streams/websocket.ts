import { once } from 'node:events';
import type { WebSocket } from '@fastify/websocket';
import type { Logger } from '../../contracts/logger.ts';
import { errorBody, STATUS, toTurnkeeperError } from '../errors.ts';
import type { Outlet } from './deliver.ts';

/** Of a message that a reader sends. */
export const MAX_MESSAGE_BYTES = 65_536;

/** Larger ones are not read at all, and close with 1009. */
export const MAX_PAYLOAD_BYTES = 1_048_576;

/** Pings; a reader that has gone without a word would count as reading for as long as TCP takes to notice. */
const MAX_UNANSWERED = 2;

/** Codes of RFC 6455, and of its registry. */
const DONE = 1000;
const INTERNAL_ERROR = 1011;
const RESTARTING = 1012;
const OURS = 4000;

export function socketOutlet(socket: WebSocket): Outlet {
  let unanswered = 0;
  socket.on('pong', () => (unanswered = 0));
  return {
    send: ({ number, event }) => send(socket, JSON.stringify({ number, event })),
    async end() {
      socket.close(DONE);
      await once(socket, 'close');
    },
    beat() {
      if (unanswered === MAX_UNANSWERED) socket.terminate();
      else socket.ping();
      unanswered += 1;
    },
    cut: () => socket.terminate(),
  };
}

/** The server goes: the reader comes back, to the next one. One that is gone is left alone. */
export function closeForRestart(socket: WebSocket): void {
  socket.close(RESTARTING);
}

/** Says what is wrong and closes; a socket that is closing is told nothing more. */
export function refuseSocket(socket: WebSocket, error: unknown, logger?: Logger): void {
  if (socket.readyState !== socket.OPEN) return;
  const refusal = toTurnkeeperError(error);
  const status = STATUS[refusal.code];
  if (status >= 500) logger?.warn('a socket broke off', { error: String(error) });
  socket.send(JSON.stringify(errorBody(refusal)));
  socket.close(status >= 500 ? INTERNAL_ERROR : OURS + status);
}

/** Resolves when the message is on its way: one waits here at a time. */
function send(socket: WebSocket, message: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(message, (error) => (error ? reject(error) : resolve()));
  });
}
