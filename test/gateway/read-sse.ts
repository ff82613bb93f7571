import { createParser } from 'eventsource-parser';
import type { JsonObject } from '../../src/contracts/json.ts';

export interface SseEvent {
  id: number;
  event: string;
  data: JsonObject;
}

export interface SseStream {
  status: number;
  headers: Headers;
  /** As they come. */
  events: SseEvent[];
  comments: string[];
  retries: number[];
  /** Resolves at the end of the stream; rejects when it was cut. */
  ended: Promise<SseEvent[]>;
  stop(): void;
}

export async function openSse(
  url: string,
  headers: Record<string, string> = {},
): Promise<SseStream> {
  const aborting = new AbortController();
  const response = await fetch(url, { headers, signal: aborting.signal });
  const events: SseEvent[] = [];
  const comments: string[] = [];
  const retries: number[] = [];
  const parser = createParser({
    onEvent: ({ id, event, data }) =>
      events.push({ id: Number(id), event: event ?? '', data: JSON.parse(data) as JsonObject }),
    onComment: (comment) => comments.push(comment),
    onRetry: (ms) => retries.push(ms),
  });
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
    }
    return events;
  };
  const ended = read();
  ended.catch(() => undefined);
  const { status } = response;
  return {
    status,
    headers: response.headers,
    events,
    comments,
    retries,
    ended,
    stop: () => aborting.abort(),
  };
}

/** All events of a turn from there on, once it has ended. */
export async function readSse(
  url: string,
  headers: Record<string, string> = {},
): Promise<SseEvent[]> {
  const stream = await openSse(url, headers);
  return await stream.ended;
}

/** What a reader shows in the end: deltas, but for those that were taken back. */
export function shownBy(events: SseEvent[]): string {
  return events
    .filter(({ id }, index) => !events.slice(index).some((later) => takesBack(later, id)))
    .filter(({ event }) => event === 'response.output_text.delta')
    .map(({ data }) => String(data['delta']))
    .join('');
}

function takesBack({ event, data }: SseEvent, id: number): boolean {
  return event === 'turn.rewind' && id > Number(data['to']);
}
