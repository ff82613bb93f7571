import { setTimeout as delay } from 'node:timers/promises';
import { isOrphan, type ModelCall, type TurnEvent } from '../../../src/contracts/store.ts';
import { shownTexts } from '../../support/reading.ts';
import { readTurn, type ReadEvent, type Reading } from './reader.ts';
import { answerOf, questionOf } from './script.ts';

/** One turn × one fault: what came of it. */
export interface Point {
  turnId: string;
  reading: Reading;
  /** The reader's text is the reference, to the character. */
  exact: boolean;
  status: string;
  /** The conversation takes the next turn. */
  free: boolean;
  /** Calls that ended without the provider's id: their create may have got there, or not. */
  nameless: number;
  lostResponses: number;
  rewinds: number;
}

const TURN_LIMIT_MS = 120_000;
const RETRY_MS = 200;

export interface Service {
  url: string;
  assistantId: string;
}

/** Starts a turn over HTTP and follows it to its end, whatever breaks on the way. */
export async function runTurn(
  service: Service,
  id: string,
  onEvent: (event: ReadEvent) => void = () => undefined,
): Promise<Point> {
  const signal = AbortSignal.timeout(TURN_LIMIT_MS);
  const call = (path: string, body?: object) => ask(service.url + path, id, signal, body);
  const conversation = await call('/api/conversations', {});
  const conversationId = String(conversation['id']);
  const start = { assistantId: service.assistantId, input: questionOf(id) };
  const { id: turnId } = await call(`/api/conversations/${conversationId}/turns`, start);
  const path = `/api/turns/${String(turnId)}`;
  const reading = await readTurn(`${service.url}${path}/events`, { signal, onEvent });
  const turn = await call(path);
  const usage = await call(`${path}/usage`);
  const { activeTurn } = await call(`/api/conversations/${conversationId}`);
  const calls = usage['calls'] as ModelCall[];
  const events = reading.events as unknown as TurnEvent[];
  return {
    turnId: String(turnId),
    reading,
    exact: shownTexts(events).join('') === answerOf(id),
    status: String(turn['status']),
    free: activeTurn === null,
    nameless: calls.filter((call) => !isCompleted(call) && isOrphan(call)).length,
    lostResponses: calls.filter((call) => !isCompleted(call) && !isOrphan(call)).length,
    rewinds: events.filter(({ event }) => event.type === 'turn.rewind').length,
  };
}

const isCompleted = ({ state }: ModelCall) => state === 'completed';

/** The same key in each try: what was accepted is not accepted twice. */
export async function ask(
  url: string,
  key: string,
  signal: AbortSignal,
  body?: object,
): Promise<Record<string, unknown>> {
  const init = body && {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
  };
  for (;;) {
    try {
      const answer = await fetch(url, { signal, ...init });
      if (answer.ok) return (await answer.json()) as Record<string, unknown>;
      if (answer.status < 500) throw new Refused(`${url}: ${await answer.text()}`);
    } catch (error) {
      if (error instanceof Refused || signal.aborted) throw error;
    }
    await delay(RETRY_MS);
  }
}

class Refused extends Error {}
