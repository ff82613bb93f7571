import { Type, type Static } from '@sinclair/typebox';
import type { StartTurn } from '../../client/start-turn.ts';
import type { TurnResult as Result } from '../../client/turn-result.ts';
import type { Turns } from '../../client/turns.ts';
import type { Turn as TurnRecord } from '../../contracts/store.ts';
import type { Routes } from '../context.ts';
import { answers, ById, KeyHeader, query, ref } from '../schemas/common.ts';
import { Cancel, NewTurn, Step, Turn, TurnResult, Usage } from '../schemas/turns.ts';
import { keyed } from './keyed.ts';

const tags = ['turns'];
const MAX_WAIT_MS = 60_000;
/** For what is beside the input, and for JSON that is not as short as it can be. */
const ROOM_BYTES = 65_536;

const WaitQuery = query({
  waitMs: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_WAIT_MS, default: 0 })),
});

export const turnRoutes: Routes = (app, { clientFor, limits, streams }) => {
  app.post(
    '/api/conversations/:id/turns',
    {
      bodyLimit: limits.maxInputBytes + ROOM_BYTES,
      schema: {
        tags,
        summary: 'Accepts a turn and starts it: from here on it will end',
        params: ById,
        headers: KeyHeader,
        body: ref(NewTurn),
        response: answers({ 201: ref(Turn) }),
      },
    },
    async (request, reply) => {
      const { turns } = clientFor(request);
      const start = { ...keyed(request), conversationId: request.params.id } as StartTurn;
      return reply.code(201).send(await turns.start(start));
    },
  );

  const byId = { tags, params: ById };

  app.get(
    '/api/turns/:id',
    { schema: { ...byId, summary: 'How a turn stands', response: answers({ 200: ref(Turn) }) } },
    async (request) => clientFor(request).turns.get(request.params.id),
  );

  app.get(
    '/api/turns/:id/steps',
    {
      schema: {
        ...byId,
        summary: 'What a turn did, in order',
        response: answers({ 200: Type.Object({ data: Type.Array(ref(Step)) }) }),
      },
    },
    async (request) => ({ data: await clientFor(request).turns.steps(request.params.id) }),
  );

  app.get(
    '/api/turns/:id/usage',
    {
      schema: {
        ...byId,
        summary: 'Tokens so far, in total and for each model call',
        response: answers({ 200: ref(Usage) }),
      },
    },
    async (request) => clientFor(request).turns.usage(request.params.id),
  );

  app.get(
    '/api/turns/:id/result',
    {
      schema: {
        ...byId,
        summary: 'How a turn ended and what came of it; 202 with the turn while it goes on',
        querystring: WaitQuery,
        response: answers({ 200: ref(TurnResult), 202: ref(Turn) }),
      },
    },
    async (request, reply) => {
      const stream = streams.open();
      reply.raw.once('close', () => stream.close());
      const { turns } = clientFor(request);
      const found = await resultWithin(turns, request.params, request.query, stream.signal);
      return 'turn' in found ? found : reply.code(202).send(found);
    },
  );

  app.post(
    '/api/turns/:id/cancel',
    {
      schema: {
        ...byId,
        summary: 'Cancels a turn and waits up to five seconds for its end',
        body: ref(Cancel),
        response: answers({ 200: ref(Turn) }),
      },
    },
    async (request) => clientFor(request).turns.cancel(request.params.id, { ...request.body }),
  );

  app.post(
    '/api/turns/:id/compensate',
    {
      schema: {
        ...byId,
        summary: 'Has what the tools of a turn did undone, once it has ended',
        response: answers({ 200: ref(Turn) }),
      },
    },
    async (request) => clientFor(request).turns.compensate(request.params.id),
  );
};

/** The turn as it stands when the time is over, or `signal` is aborted, before its end. */
async function resultWithin(
  turns: Turns,
  { id }: Static<typeof ById>,
  { waitMs = 0 }: Static<typeof WaitQuery>,
  signal: AbortSignal,
): Promise<Result | TurnRecord> {
  try {
    return await turns.result(id, { timeoutMs: waitMs, signal });
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    const turn = await turns.get(id);
    return turn.state === 'sealed' ? await turns.result(id) : turn;
  }
}
