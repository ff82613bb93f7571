import type { ModelCall, TurnEvent } from '../../../src/contracts/store.ts';
import { countOf, shownTexts } from '../../support/reading.ts';
import { ask } from '../support/ask.ts';
import { readTurn, type ReadEvent, type Reading } from './reader.ts';
import { answerOf, questionOf } from './script.ts';

export type Generation = 'background' | 'foreground';

/** One turn × one fault: what came of it. */
export interface Point {
  /** As it is called in the script. */
  id: string;
  generation: Generation;
  reading: Reading;
  /** The reader's text is the reference, to the character. */
  exact: boolean;
  status: string;
  /** The conversation takes the next turn. */
  free: boolean;
  calls: ModelCall[];
  rewinds: number;
}

const TURN_LIMIT_MS = 120_000;
/** For asking what has become of a turn, also of one that has not ended. */
const QUESTIONS_LIMIT_MS = 30_000;

export interface Service {
  url: string;
  assistants: Record<Generation, string>;
}

/** Starts a turn over HTTP and follows it to its end, whatever breaks on the way. */
export async function runTurn(
  { url, assistants }: Service,
  { id, generation }: Pick<Point, 'id' | 'generation'>,
  onEvent: (event: ReadEvent) => void,
): Promise<Point> {
  const signal = AbortSignal.timeout(TURN_LIMIT_MS);
  const conversation = await ask(`${url}/api/conversations`, id, signal, {});
  const ofConversation = `${url}/api/conversations/${String(conversation['id'])}`;
  const start = { assistantId: assistants[generation], input: questionOf(id) };
  const { id: turnId } = await ask(`${ofConversation}/turns`, id, signal, start);
  const ofTurn = `${url}/api/turns/${String(turnId)}`;
  const reading = await readTurn(`${ofTurn}/events`, { signal, onEvent });
  const later = AbortSignal.timeout(QUESTIONS_LIMIT_MS);
  const turn = await ask(ofTurn, id, later);
  const usage = await ask(`${ofTurn}/usage`, id, later);
  const { activeTurn } = await ask(ofConversation, id, later);
  const events = reading.events as unknown as TurnEvent[];
  return {
    id,
    generation,
    reading,
    exact: shownTexts(events).join('') === answerOf(id),
    status: String(turn['status']),
    free: activeTurn === null,
    calls: usage['calls'] as ModelCall[],
    rewinds: countOf(events, 'turn.rewind'),
  };
}
