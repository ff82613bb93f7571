import { Type } from '@sinclair/typebox';
import type { Item } from '../../contracts/json.ts';
import { AnyObject, Count, Id, named, nullable, Time, words } from './common.ts';

/** A Responses item as the model gave it. */
export const ResponsesItem = Type.Unsafe<Item>({
  type: 'object',
  properties: { type: { type: 'string' } },
  required: ['type'],
  additionalProperties: true,
});

export const NewConversation = named(
  'NewConversation',
  Type.Object({
    endUser: Type.Optional(Type.String({ description: 'Your id of the end user.' })),
    metadata: Type.Optional(AnyObject),
  }),
);

export const Conversation = named(
  'Conversation',
  Type.Object({
    id: Id,
    endUser: nullable(Type.String()),
    metadata: AnyObject,
    activeTurn: nullable(Id),
    summary: nullable(Type.Object({ text: Type.String(), through: Count })),
    branchedFrom: nullable(Type.Object({ conversationId: Id, turnId: Id })),
    createdAt: Time,
  }),
);

const HistoryMessage = Type.Object({
  type: Type.Optional(words('message')),
  role: words('user', 'system', 'developer', 'assistant'),
  content: Type.Union([Type.String(), Type.Array(ResponsesItem)]),
});

export const NewItems = named(
  'NewItems',
  Type.Object({
    items: Type.Array(HistoryMessage),
    whenBusy: Type.Optional(words('reject', 'enqueue')),
  }),
);

export const AddedItems = named(
  'AddedItems',
  Type.Object({
    queued: Type.Boolean({ description: 'They wait for what came before them to end.' }),
  }),
);

export const ConversationItem = named(
  'ConversationItem',
  Type.Object({
    position: Count,
    turnId: nullable(Id),
    item: ResponsesItem,
    createdAt: Time,
    supersededBy: Type.Optional(Id),
  }),
);
