import { Type } from '@sinclair/typebox';
import type { AddItems } from '../../client/add-items.ts';
import type { Routes } from '../context.ts';
import { answers, ById, KeyHeader, PAGE, pageOf, query, ref } from '../schemas/common.ts';
import {
  AddedItems,
  Conversation,
  ConversationItem,
  DeletedConversation,
  NewConversation,
  NewItems,
} from '../schemas/conversations.ts';
import { Turn } from '../schemas/turns.ts';
import { keyed } from './keyed.ts';

const tags = ['conversations'];
/** For what is beside metadata and items, and for JSON that is not as short as it can be. */
const ROOM_BYTES = 65_536;

export const conversationRoutes: Routes = (app, { clientFor, limits }) => {
  app.post(
    '/api/conversations',
    {
      bodyLimit: limits.maxMetadataBytes + ROOM_BYTES,
      schema: {
        tags,
        summary: 'Starts an empty conversation',
        headers: KeyHeader,
        body: ref(NewConversation),
        response: answers({ 201: ref(Conversation) }),
      },
    },
    async (request, reply) => {
      const { conversations } = clientFor(request);
      return reply.code(201).send(await conversations.create(keyed(request)));
    },
  );

  app.get(
    '/api/conversations',
    {
      schema: {
        tags,
        summary: 'Conversations, of one end user where asked for',
        querystring: query({ ...PAGE, endUser: Type.Optional(Type.String()) }),
        response: answers({ 200: pageOf(Conversation) }),
      },
    },
    async (request) => clientFor(request).conversations.list(request.query),
  );

  app.get(
    '/api/conversations/:id',
    {
      schema: {
        tags,
        summary: 'One conversation',
        params: ById,
        response: answers({ 200: ref(Conversation) }),
      },
    },
    async (request) => clientFor(request).conversations.get(request.params.id),
  );

  app.delete(
    '/api/conversations/:id',
    {
      schema: {
        tags,
        summary: 'Deletes a conversation with all that is its own, and says what remains where',
        params: ById,
        response: answers({ 200: ref(DeletedConversation) }),
      },
    },
    async (request) => clientFor(request).conversations.delete(request.params.id),
  );

  app.get(
    '/api/conversations/:id/items',
    {
      schema: {
        tags,
        summary: 'What was said, in order, of one turn where asked for',
        params: ById,
        querystring: query({
          ...PAGE,
          turnId: Type.Optional(Type.String()),
          superseded: Type.Optional(Type.Boolean({ default: false })),
        }),
        response: answers({ 200: pageOf(ConversationItem) }),
      },
    },
    async (request) => clientFor(request).conversations.items(request.params.id, request.query),
  );

  app.post(
    '/api/conversations/:id/items',
    {
      bodyLimit: limits.maxInputBytes + ROOM_BYTES,
      schema: {
        tags,
        summary: 'Adds messages without running a turn',
        params: ById,
        headers: KeyHeader,
        body: ref(NewItems),
        response: answers({ 201: ref(AddedItems) }),
      },
    },
    async (request, reply) => {
      const { conversations } = clientFor(request);
      const items = keyed(request) as AddItems;
      return reply.code(201).send(await conversations.addItems(request.params.id, items));
    },
  );

  app.get(
    '/api/conversations/:id/turns',
    {
      schema: {
        tags,
        summary: 'Turns of a conversation',
        params: ById,
        querystring: query(PAGE),
        response: answers({ 200: pageOf(Turn) }),
      },
    },
    async (request) => clientFor(request).turns.list(request.params.id, request.query),
  );
};
