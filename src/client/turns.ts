import type {
  Page,
  PageRequest,
  Source,
  Step,
  Turn,
  TurnEvent,
  Usage,
} from '../contracts/store.ts';
import { cancelTurn } from './cancel-turn.ts';
import type { Parts } from './parts.ts';
import { checkPage, knownForm, reportingOutage } from './requests.ts';
import { startTurn, type StartTurn } from './start-turn.ts';
import { turnEvents, type EventsOptions } from './turn-events.ts';
import { turnResult, type TurnResult } from './turn-result.ts';
import type { WaitOptions } from './waiting.ts';

/** Every method also rejects with `database_unreachable`. */
export interface Turns {
  /**
   * Accepts a turn and starts its workflow. Once this has resolved the turn is durable: it will end, also when Temporal
   * cannot be reached now. It is answered as it was accepted; `get` tells how it stands. With a key that was used
   * before, it is the turn of then, in whatever state.
   * @throws TurnkeeperError `invalid_request`, `input_empty`, `input_too_large` (`maxInputBytes`, `maxItemsPerTurn`),
   * `assistant_not_found`, `conversation_not_found`, `conversation_busy` (`details.activeTurn`), `idempotency_conflict`
   */
  start(request: StartTurn): Promise<Turn>;
  /** @throws TurnkeeperError `turn_not_found` */
  get(turnId: string): Promise<Turn>;
  /**
   * Waits until the turn has ended, however it ended: look at `status`. Outages of the database of up to half a
   * minute are waited out. Rejects with the reason of `signal`, or with a `TimeoutError` after `timeoutMs`.
   * @throws TurnkeeperError `turn_not_found`, `invalid_request`
   */
  result(turnId: string, options?: WaitOptions): Promise<TurnResult>;
  /**
   * What the turn did, in order: retrievals, model calls and tool calls.
   * @throws TurnkeeperError `turn_not_found`
   */
  steps(turnId: string): Promise<Step[]>;
  /**
   * Tokens so far, in total and for each model call.
   * @throws TurnkeeperError `turn_not_found`
   */
  usage(turnId: string): Promise<Usage>;
  /**
   * Passages that the model was given.
   * @throws TurnkeeperError `turn_not_found`
   */
  sources(turnId: string): Promise<Source[]>;
  /**
   * Follows the turn's stream from the event after number `after` up to `turn.done`. On `turn.rewind` forget what
   * came after event `to`; on `turn.folded` take its `items` as those of `response.output_item.done`. `answerText`
   * does both. Behind the end of a turn that has ended there is nothing. Outages of the database of up to half a minute are waited out.
   * @throws TurnkeeperError `turn_not_found`, `invalid_request`, when the iteration begins
   */
  events(turnId: string, options?: EventsOptions): AsyncIterable<TurnEvent>;
  /**
   * Turns of a conversation, oldest first unless asked otherwise.
   * @throws TurnkeeperError `conversation_not_found`, `invalid_request`, `invalid_cursor`
   */
  list(conversationId: string, page?: PageRequest): Promise<Page<Turn>>;
  /**
   * Cancels a turn and waits up to 5 s for its end; answers the turn as it stands then. What its tools did stays done.
   * A turn that has ended stays as it is.
   * @throws TurnkeeperError `turn_not_found`, `temporal_unreachable` (the turn goes on)
   */
  cancel(turnId: string): Promise<Turn>;
}

export function createTurns(parts: Parts): Turns {
  const { store, tenant } = parts;
  const read = async <T>(turnId: string, method: (tenant: string, id: string) => Promise<T>) => {
    const id = knownForm(turnId, 'turn_not_found');
    return await reportingOutage(() => method(tenant, id));
  };
  return {
    start: async (request) => await reportingOutage(() => startTurn(parts, request)),
    get: async (turnId) => await read(turnId, (...of) => store.turns.get(...of)),
    steps: async (turnId) => await read(turnId, (...of) => store.turns.steps(...of)),
    usage: async (turnId) => await read(turnId, (...of) => store.turns.usage(...of)),
    sources: async (turnId) => await read(turnId, (...of) => store.turns.sources(...of)),
    result: async (turnId, options = {}) =>
      await read(turnId, (_, id) => turnResult(parts, id, options)),
    cancel: async (turnId) => await read(turnId, (_, id) => cancelTurn(parts, id)),
    events: (turnId, options = {}) => turnEvents(parts, turnId, options),
    list: async (conversationId, page = {}) => {
      checkPage(page, '');
      const id = knownForm(conversationId, 'conversation_not_found');
      return await reportingOutage(() => store.turns.list(tenant, id, page));
    },
  };
}
