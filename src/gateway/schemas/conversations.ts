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

/** What a message has that was read; it is not kept. */
export const READ_MESSAGE = {
  id: Type.Optional(Type.String({ description: 'Not kept.' })),
  status: Type.Optional(words('in_progress', 'completed', 'incomplete')),
};

const HistoryMessage = Type.Object({
  ...READ_MESSAGE,
  type: Type.Optional(words('message')),
  phase: Type.Optional(nullable(words('commentary', 'final_answer'))),
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

export const DeletedConversation = named(
  'DeletedConversation',
  Type.Object({
    id: Id,
    finished: Type.Boolean({ description: 'Whether no row is left; workers delete the rest.' }),
    remains: Type.Array(
      Type.Object({
        where: words('temporal', 'backups', 'provider', 'documents', 'sandboxes', 'branches'),
        what: Type.String(),
      }),
    ),
  }),
);
