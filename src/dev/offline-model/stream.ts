import type { ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { NumberedEvent } from './wire.ts';

/** Long enough for the network not to join two writes. */
const BETWEEN_PACKETS_MS = 5;

/** Sends the headers of an event stream at once, before there is an event. */
export function openEventStream(answer: ServerResponse): void {
  answer.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
  });
  answer.flushHeaders();
}

/** Sends events as they come; the stream stays open. */
export async function sendEvents(
  answer: ServerResponse,
  events: AsyncIterable<NumberedEvent>,
): Promise<void> {
  openEventStream(answer);
  for await (const event of events) {
    await send(answer, `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  }
}

/** Each chunk as a packet of its own, so that a character can be split between two. */
export async function sendBytes(answer: ServerResponse, chunks: Buffer[]): Promise<void> {
  openEventStream(answer);
  for (const chunk of chunks) {
    await send(answer, chunk);
    await pause(BETWEEN_PACKETS_MS);
  }
  answer.end();
}

/** Waits until it was handed to the network: a connection cut afterwards still delivers it. */
async function send(answer: ServerResponse, chunk: string | Buffer): Promise<void> {
  await new Promise<void>((resolve) => {
    answer.write(chunk, () => {
      resolve();
    });
  });
}
