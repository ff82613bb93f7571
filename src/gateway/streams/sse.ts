import { once } from 'node:events';
import type { FastifyReply } from 'fastify';
import type { TurnEvent } from '../../contracts/store.ts';
import type { Outlet } from './deliver.ts';

const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
  'x-content-type-options': 'nosniff',
};
const RETRY_MS = 1_000;

export interface SseOutlet extends Outlet {
  /** Sends the headers; from here on nothing can be refused. The first event does it, too. */
  begin(): void;
  begun(): boolean;
  /** Ends the answer where it is; the reader comes back with `Last-Event-ID`. */
  breakOff(): void;
}

export function sseOutlet(reply: FastifyReply, closed: AbortSignal): SseOutlet {
  const { raw } = reply;
  // A request that waits behind another one has no connection yet whose end would be told.
  const cut = new AbortController();
  const signal = AbortSignal.any([closed, cut.signal]);
  const begin = () => {
    if (raw.headersSent) return;
    reply.hijack();
    raw.writeHead(200, HEADERS).write(`retry: ${RETRY_MS}\n\n`);
  };
  return {
    begin,
    begun: () => raw.headersSent,
    async send(event) {
      begin();
      if (!raw.write(frame(event))) await once(raw, 'drain', { signal });
    },
    async end() {
      if (!raw.headersSent) return void reply.code(204).send();
      raw.end();
      if (!raw.writableFinished) await once(raw, 'finish', { signal });
    },
    beat() {
      if (raw.headersSent) raw.write(':\n\n');
    },
    cut() {
      raw.destroy();
      cut.abort();
    },
    breakOff: () => raw.end(),
  };
}

/** A type is anybody's: a line break in it would be the end of its line. */
function frame({ number, event }: TurnEvent): string {
  const type = event.type.replace(/[\r\n]/g, ' ');
  return `id: ${number}\nevent: ${type}\ndata: ${JSON.stringify(event)}\n\n`;
}
