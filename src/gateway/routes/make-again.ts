import type { EditTurn } from '../../client/make-again.ts';
import type { Routes } from '../context.ts';
import { answers, ById, KeyHeader, ref } from '../schemas/common.ts';
import { Edit, Regenerate, Turn } from '../schemas/turns.ts';
import { keyed } from './keyed.ts';

/** For what is beside the input, and for JSON that is not as short as it can be. */
const ROOM_BYTES = 65_536;

/** New turns that are made from old ones. */
export const makeAgainRoutes: Routes = (app, { clientFor, limits }) => {
  const made = {
    tags: ['turns'],
    params: ById,
    headers: KeyHeader,
    response: answers({ 201: ref(Turn) }),
  };

  app.post(
    '/api/turns/:id/retry',
    { schema: { ...made, summary: 'Goes on from where an unsuccessful turn ended, in its place' } },
    async (request, reply) => {
      const { turns } = clientFor(request);
      const key = keyed({ headers: request.headers, body: {} });
      return reply.code(201).send(await turns.retry(request.params.id, key));
    },
  );

  app.post(
    '/api/turns/:id/regenerate',
    {
      schema: {
        ...made,
        summary: 'Answers the input of the last turn anew, in its place',
        body: ref(Regenerate),
      },
    },
    async (request, reply) => {
      const { turns } = clientFor(request);
      return reply.code(201).send(await turns.regenerate(request.params.id, keyed(request)));
    },
  );

  app.post(
    '/api/turns/:id/edit',
    {
      bodyLimit: limits.maxInputBytes + ROOM_BYTES,
      schema: {
        ...made,
        summary: 'Starts a turn with another input in a branch of the conversation',
        body: ref(Edit),
      },
    },
    async (request, reply) => {
      const { turns } = clientFor(request);
      const edit = keyed(request) as EditTurn;
      return reply.code(201).send(await turns.edit(request.params.id, edit));
    },
  );
};
