import { Type } from '@sinclair/typebox';
import type { Routes } from '../context.ts';
import { Assistant, Definition } from '../schemas/assistants.ts';
import { answers, ById, KeyHeader, PAGE, pageOf, query, ref } from '../schemas/common.ts';
import { keyed } from './keyed.ts';

const tags = ['assistants'];

export const assistantRoutes: Routes = (app, { clientFor, limits }) => {
  const bodyLimit = limits.maxInputBytes;

  app.post(
    '/api/assistants',
    {
      bodyLimit,
      schema: {
        tags,
        summary: 'Creates an assistant, as version 1',
        headers: KeyHeader,
        body: ref(Definition),
        response: answers({ 201: ref(Assistant) }),
      },
    },
    async (request, reply) => {
      const { assistants } = clientFor(request);
      return reply.code(201).send(await assistants.create(keyed(request)));
    },
  );

  app.get(
    '/api/assistants',
    {
      schema: {
        tags,
        summary: 'Assistants in their newest versions',
        querystring: query(PAGE),
        response: answers({ 200: pageOf(Assistant) }),
      },
    },
    async (request) => clientFor(request).assistants.list(request.query),
  );

  app.get(
    '/api/assistants/:id',
    {
      schema: {
        tags,
        summary: 'The newest version, or the one asked for',
        params: ById,
        querystring: query({ version: Type.Optional(Type.Integer({ minimum: 1 })) }),
        response: answers({ 200: ref(Assistant) }),
      },
    },
    async (request) => clientFor(request).assistants.get(request.params.id, request.query),
  );

  app.post(
    '/api/assistants/:id',
    {
      bodyLimit,
      schema: {
        tags,
        summary: 'Adds a version, whole; turns accepted before keep theirs',
        params: ById,
        body: ref(Definition),
        response: answers({ 201: ref(Assistant) }),
      },
    },
    async (request, reply) => {
      const { assistants } = clientFor(request);
      return reply.code(201).send(await assistants.update(request.params.id, request.body));
    },
  );
};
