import { Type } from '@sinclair/typebox';
import type { Item } from '../../contracts/json.ts';
import { AnyObject, Count, Id, named, nullable, Time } from './common.ts';

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
    createdAt: Time,
  }),
);

export const ConversationItem = named(
  'ConversationItem',
  Type.Object({
    position: Count,
    turnId: nullable(Id),
    item: ResponsesItem,
    createdAt: Time,
  }),
);
