import type {
  Action,
  Page,
  PageRequest,
  Source,
  Step,
  Turn,
  TurnEvent,
  Usage,
} from '../contracts/store.ts';
import { cancelTurn, checkCancel, type CancelTurn } from './cancel-turn.ts';
import { compensateTurn } from './compensate-turn.ts';
import {
  editTurn,
  regenerateTurn,
  retryTurn,
  type EditTurn,
  type RegenerateTurn,
  type RetryTurn,
} from './make-again.ts';
import type { Parts } from './parts.ts';
import { checkPage, knownForm, reportingOutage } from './requests.ts';
import { startTurn, type StartTurn } from './start-turn.ts';
import { submitActions, type SubmitActions } from './submit-actions.ts';
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
   * `assistant_not_found`, `conversation_not_found`, `conversation_busy` (`details.activeTurn`), `queue_full`, `idempotency_conflict`
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
   * Cancels a turn and waits up to 5 s for its end; answers the turn as it stands then. What its tools did stays done,
   * unless it is to be undone: see `compensate`, which that does as well. A turn that has ended stays as it is.
   * @throws TurnkeeperError `turn_not_found`, `invalid_request`, `temporal_unreachable` (the turn goes on; what its tools
   * did is undone when it ends, where that was asked for)
   */
  cancel(turnId: string, options?: CancelTurn): Promise<Turn>;
  /**
   * Has what the turn's tools did undone where they can: now when it has ended, else when it does, however that is.
   * Answers the turn as it stands; `compensation` says how far that is, `requested` from now on unless a turn that has ended
   * has nothing to undo. Repeating it changes nothing.
   * @throws TurnkeeperError `turn_not_found`
   */
  compensate(turnId: string): Promise<Turn>;
  /**
   * Decides calls that a turn waits for: outputs of tools that the caller runs, and approvals. All of it is stored, or
   * nothing. Once this has resolved the turn will go on, also when Temporal cannot be reached now. The same submission
   * again changes nothing.
   * @throws TurnkeeperError `turn_not_found`, `turn_not_waiting`, `action_not_found` (`details.callId`), `actions_missing`
   * (`details.missing`), `submission_conflict` (`details.callId`), `invalid_request`, `input_too_large`
   */
  submit(turnId: string, submission: SubmitActions): Promise<Turn>;
  /**
   * Calls that a turn waits for, or has waited for, in the order of its calls.
   * @throws TurnkeeperError `turn_not_found`
   */
  actions(turnId: string): Promise<Action[]>;
  /**
   * Goes on from where an unsuccessful turn ended, the last one of its conversation, as a new turn in its place: with its
   * input, its replies that called tools, and what these came to. No tool is called again that was; the partial answer is
   * made anew. Where an effect was undone meanwhile, the model is told. Items of the old turn are superseded. Nothing is
   * retried, or regenerated, that a later turn or added items have come after.
   * @throws TurnkeeperError `turn_not_found`, `turn_not_retryable`, `compensation_running`, `conversation_busy`,
   * `idempotency_conflict`, `invalid_request`
   */
  retry(turnId: string, request?: RetryTurn): Promise<Turn>;
  /**
   * Answers the input of the last turn of a conversation anew, however that one ended, as a new turn in its place. Tools may be
   * called again. Items of the old turn are superseded.
   * @throws TurnkeeperError `turn_not_found`, `turn_not_retryable`, `conversation_busy`, `idempotency_conflict`,
   * `invalid_request`
   */
  regenerate(turnId: string, request?: RegenerateTurn): Promise<Turn>;
  /**
   * Starts a turn with another input in a conversation of its own, which begins with all that came before the edited one:
   * results of tools included, which are not called again for it. The old conversation stays as it is; where what was done
   * in it is undone, the new one is told, too. Without readers it goes on for as long as the edited one would have. One that
   * ended in the queue is edited as what it would have been: the branch parts before the next turn that came after it.
   * @throws TurnkeeperError `turn_not_found`, `conversation_not_found`, `turn_not_retryable` (it still waits in the queue), `input_empty`,
   * `input_too_large`, `idempotency_conflict`, `invalid_request`
   */
  edit(turnId: string, request: EditTurn): Promise<Turn>;
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
    cancel: async (turnId, options = {}) => {
      checkCancel(options, '');
      return await read(turnId, (_, id) => cancelTurn(parts, id, options));
    },
    compensate: async (turnId) => await read(turnId, (_, id) => compensateTurn(parts, id)),
    submit: async (turnId, submission) =>
      await read(turnId, (_, id) => submitActions(parts, id, submission)),
    actions: async (turnId) => await read(turnId, (...of) => store.actions.list(...of)),
    retry: async (turnId, request = {}) =>
      await read(turnId, async (_, id) => await retryTurn(parts, id, request)),
    regenerate: async (turnId, request = {}) =>
      await read(turnId, async (_, id) => await regenerateTurn(parts, id, request)),
    edit: async (turnId, request) =>
      await read(turnId, async (_, id) => await editTurn(parts, id, request)),
    events: (turnId, options = {}) => turnEvents(parts, turnId, options),
    list: async (conversationId, page = {}) => {
      checkPage(page, '');
      const id = knownForm(conversationId, 'conversation_not_found');
      return await reportingOutage(() => store.turns.list(tenant, id, page));
    },
  };
}
