import { Type } from '@sinclair/typebox';
import type { Routes } from '../context.ts';
import { Action, SubmitActions } from '../schemas/actions.ts';
import { answers, ById, ref } from '../schemas/common.ts';
import { Turn } from '../schemas/turns.ts';

const byId = { tags: ['turns'], params: ById };
/** For JSON that is not as short as it can be. */
const ROOM_BYTES = 65_536;

export const actionRoutes: Routes = (app, { clientFor, limits }) => {
  app.get(
    '/api/turns/:id/actions',
    {
      schema: {
        ...byId,
        summary: 'Calls that a turn waits for, or has waited for',
        response: answers({ 200: Type.Object({ data: Type.Array(ref(Action)) }) }),
      },
    },
    async (request) => ({ data: await clientFor(request).turns.actions(request.params.id) }),
  );

  app.post(
    '/api/turns/:id/submit',
    {
      bodyLimit: limits.maxInputBytes + ROOM_BYTES,
      schema: {
        ...byId,
        summary: 'Decides calls that a turn waits for: outputs and approvals',
        body: ref(SubmitActions),
        response: answers({ 200: ref(Turn) }),
      },
    },
    async (request) => clientFor(request).turns.submit(request.params.id, request.body),
  );
};
