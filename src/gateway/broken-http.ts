import type { Socket } from 'node:net';
import { TurnkeeperError } from '../contracts/errors.ts';
import { errorBody } from './errors.ts';

const STATUS_LINES: Partial<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
};

/** Answers what Node cannot read as a request, in the form of every other refusal. */
export function refuseBrokenHttp(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return;
  const message = `The request is not valid HTTP: ${error.message.replace(/\.$/, '')}.`;
  const body = JSON.stringify(errorBody(new TurnkeeperError('invalid_request', message)));
  const headers = [
    `HTTP/1.1 ${STATUS_LINES[error.code ?? ''] ?? '400 Bad Request'}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  socket.end(`${headers.join('\r\n')}\r\n\r\n${body}`);
}
