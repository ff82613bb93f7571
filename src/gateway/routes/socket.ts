import type { WebSocket } from '@fastify/websocket';
import { Type } from '@sinclair/typebox';
import type { FastifyRequest } from 'fastify';
import type { Turns } from '../../client/turns.ts';
import { TurnkeeperError } from '../../contracts/errors.ts';
import type { Context, Routes } from '../context.ts';
import { answers, ById } from '../schemas/common.ts';
import { deliver } from '../streams/deliver.ts';
import {
  closeForRestart,
  MAX_MESSAGE_BYTES,
  refuseSocket,
  socketOutlet,
} from '../streams/websocket.ts';
import { AfterQuery } from './events.ts';

export const socketRoutes: Routes = (app, context) => {
  app.route({
    method: 'GET',
    url: '/api/turns/:id/socket',
    // A browser shows a script nothing of a handshake that is refused: mistakes are told over the socket.
    attachValidation: true,
    schema: {
      tags: ['turns'],
      summary: 'The same stream over a WebSocket',
      description:
        'Sends `{ number, event }`, then closes with 1000. Takes `{ "type": "cancel" }`. A refusal is `{ error }` and closes with 4000 + its status.',
      params: ById,
      querystring: AfterQuery,
      response: answers({ 101: Type.Null() }),
    },
    handler: () => {
      const message = 'This route speaks WebSocket: the request must ask for an upgrade.';
      throw new TurnkeeperError('invalid_request', message, { field: 'upgrade' });
    },
    wsHandler: (socket, request) => {
      const { after = 0 } = request.query;
      void followTurn(socket, request, { turnId: request.params.id, after }, context);
    },
  });
};

async function followTurn(
  socket: WebSocket,
  request: FastifyRequest,
  { turnId, after }: { turnId: string; after: number },
  context: Context,
): Promise<void> {
  try {
    if (request.validationError) throw request.validationError;
    const { turns } = context.clientFor(request);
    const stream = context.streams.open();
    socket.once('close', () => stream.close());
    stream.signal.addEventListener('abort', () => closeForRestart(socket));
    takeMessages(socket, turns, turnId);
    const events = turns.events(turnId, { after, signal: stream.signal });
    await deliver(events, socketOutlet(socket), context.timing);
  } catch (error) {
    refuseSocket(socket, error, context.logger);
  }
}

/** What cannot be understood ends the socket. */
function takeMessages(socket: WebSocket, turns: Turns, turnId: string): void {
  let cancelling = false;
  socket.on('message', (data, isBinary) => {
    try {
      checkCancel(data as Buffer, isBinary);
    } catch (error) {
      return refuseSocket(socket, error);
    }
    if (cancelling) return;
    cancelling = true;
    turns.cancel(turnId).catch((error: unknown) => refuseSocket(socket, error));
  });
}

/** The one message there is: `{ "type": "cancel" }`. */
function checkCancel(bytes: Buffer, isBinary: boolean): void {
  if (bytes.byteLength > MAX_MESSAGE_BYTES) {
    const details = { limit: 'message', max: MAX_MESSAGE_BYTES, actual: bytes.byteLength };
    throw new TurnkeeperError('input_too_large', 'The message is too large.', details);
  }
  const message = isBinary ? null : parse(bytes.toString());
  const { type } = (message ?? {}) as { type?: unknown };
  if (type !== 'cancel') {
    const mistake = 'The message is not `{ "type": "cancel" }`.';
    throw new TurnkeeperError('invalid_request', mistake, { field: 'type' });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new TurnkeeperError(
      'invalid_request',
      'The message is not JSON.',
      { field: 'message' },
      error,
    );
  }
}
