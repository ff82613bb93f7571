import type { JsonObject } from '../contracts/json.ts';
import type { Conversation, ConversationItem, Page, PageRequest } from '../contracts/store.ts';
import { addItems, type AddedItems, type AddItems } from './add-items.ts';
import { boolean, jsonObject, label, optional, shape, string } from './checks.ts';
import { deleteConversation, type DeletedConversation } from './delete-conversation.ts';
import type { Parts } from './parts.ts';
import { checkSize, knownForm, PAGE, reportingOutage, requestKey } from './requests.ts';

export interface CreateConversation {
  /**
   * Your id of the end user, 1–255 printable characters. Model providers get it as `safety_identifier`, of ids over 64
   * characters the SHA-256: use one that names nobody.
   */
  endUser?: string;
  /** Yours, kept as it is. */
  metadata?: JsonObject;
  /**
   * 1–255 printable characters. The same key and request give the same conversation, whoever sends them: keys are the
   * tenant's. Put who asks into a key that somebody else chose.
   */
  idempotencyKey?: string;
}

export type ListConversations = PageRequest & { endUser?: string };
export type ListItems = PageRequest & {
  turnId?: string;
  /** Items of turns that others have taken the place of, too. */
  superseded?: boolean;
};

/** Every method also rejects with `database_unreachable`. */
export interface Conversations {
  /**
   * Starts an empty conversation.
   * @throws TurnkeeperError `invalid_request`, `input_too_large` (`maxMetadataBytes`), `idempotency_conflict`
   */
  create(conversation?: CreateConversation): Promise<Conversation>;
  /** @throws TurnkeeperError `conversation_not_found` */
  get(id: string): Promise<Conversation>;
  /**
   * Conversations, of one end user where asked for, oldest first unless asked otherwise.
   * @throws TurnkeeperError `invalid_request`, `invalid_cursor`
   */
  list(filter?: ListConversations): Promise<Page<Conversation>>;
  /**
   * Responses items in the order of the conversation, of one turn where asked for.
   * @throws TurnkeeperError `conversation_not_found`, `turn_not_found`, `invalid_request`, `invalid_cursor`
   */
  items(id: string, filter?: ListItems): Promise<Page<ConversationItem>>;
  /**
   * Adds messages without running a turn, those of assistants too, as when a history is imported. At once where the
   * conversation is free.
   * @throws TurnkeeperError `invalid_request`, `input_empty`, `input_too_large` (`maxInputBytes`, `maxItemsPerTurn`),
   * `conversation_not_found`, `conversation_busy` (`details.activeTurn`), `queue_full`, `idempotency_conflict`
   */
  addItems(id: string, request: AddItems): Promise<AddedItems>;
  /**
   * Deletes a conversation with its turns, items, events and files, and the key of what Temporal has of it. Once this has
   * resolved nobody knows it any more; `remains` says what is not reached. Cancel the turn that holds it first.
   * @throws TurnkeeperError `conversation_not_found`, `conversation_busy` (`details.activeTurn`), `compensation_running`
   */
  delete(id: string): Promise<DeletedConversation>;
}

const checkCreate = shape({
  endUser: optional(label),
  metadata: optional(jsonObject),
  idempotencyKey: optional(label),
});
const checkList = shape({ ...PAGE, endUser: optional(label) });
const checkItems = shape({ ...PAGE, turnId: optional(string), superseded: optional(boolean) });

export function createConversations(parts: Parts): Conversations {
  const { store, limits, tenant } = parts;
  return {
    create: async (request = {}) => {
      checkCreate(request, '');
      const { idempotencyKey, ...sent } = request;
      const fields = { endUser: sent.endUser ?? null, metadata: sent.metadata ?? {} };
      checkSize(fields.metadata, 'metadata', 'maxMetadataBytes', limits);
      const key = requestKey(idempotencyKey, sent);
      return await reportingOutage(() => store.conversations.create(tenant, fields, ...key));
    },
    get: async (id) => {
      const conversationId = knownForm(id, 'conversation_not_found');
      return await reportingOutage(() => store.conversations.get(tenant, conversationId));
    },
    list: async (request = {}) => {
      checkList(request, '');
      const { endUser, ...page } = request;
      const filter = endUser === undefined ? {} : { endUser };
      return await reportingOutage(() => store.conversations.list(tenant, filter, page));
    },
    items: async (id, request = {}) => {
      checkItems(request, '');
      const conversationId = knownForm(id, 'conversation_not_found');
      const { turnId, superseded = false, ...page } = request;
      const filter = {
        superseded,
        ...(turnId !== undefined && { turnId: knownForm(turnId, 'turn_not_found') }),
      };
      return await reportingOutage(() =>
        store.conversations.items(tenant, conversationId, filter, page),
      );
    },
    addItems: async (id, request) => await reportingOutage(() => addItems(parts, id, request)),
    delete: async (id) => await reportingOutage(() => deleteConversation(parts, id)),
  };
}
