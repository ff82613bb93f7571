import { EventSourceParserStream } from 'eventsource-parser/stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { NewEvent } from '../../../src/contracts/store.ts';

export interface ReadEvent {
  number: number;
  event: NewEvent;
  /** Milliseconds, of a clock that only rises. */
  at: number;
}

/** A turn as one reader got it who came back whenever its connection broke. */
export interface Reading {
  events: ReadEvent[];
  connections: number;
  /** Numbers that came again, and numbers that never came. */
  duplicated: number;
  missing: number;
  /** The longest time without an event, milliseconds. */
  gapMs: number;
  ended: boolean;
}

const RECONNECT_MS = 100;

/** Follows the protocol: after a break it goes on behind the last number it has. Ends with the turn or with the signal. */
export async function readTurn(
  url: string,
  { signal, onEvent }: { signal: AbortSignal; onEvent: (event: ReadEvent) => void },
): Promise<Reading> {
  const events: ReadEvent[] = [];
  let connections = 0;
  let duplicated = 0;
  let ended = false;
  while (!ended && !signal.aborted) {
    connections += 1;
    try {
      for await (const entry of connect(url, events.at(-1)?.number ?? 0, signal)) {
        if (entry.number <= (events.at(-1)?.number ?? 0)) duplicated += 1;
        else events.push(entry);
        onEvent(entry);
        ended ||= entry.event.type === 'turn.done';
      }
    } catch {
      // Whatever broke, it comes back.
    }
    if (!ended) await delay(RECONNECT_MS);
  }
  const missing = (events.at(-1)?.number ?? 0) - events.length;
  return { events, connections, duplicated, missing, gapMs: longestGap(events), ended };
}

async function* connect(
  url: string,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<ReadEvent> {
  const headers = after > 0 ? { 'last-event-id': String(after) } : {};
  const answer = await fetch(url, { headers, signal });
  if (!answer.ok || !answer.body) throw new Error(`The gateway answered ${answer.status}.`);
  const messages = answer.body
    .pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream());
  for await (const { id, data } of messages) {
    yield { number: Number(id), event: JSON.parse(data) as NewEvent, at: performance.now() };
  }
}

function longestGap(events: ReadEvent[]): number {
  return events.reduce((longest, { at }, index) => {
    const before = events[index - 1]?.at ?? at;
    return Math.max(longest, at - before);
  }, 0);
}
