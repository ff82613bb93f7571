import { Type } from '@sinclair/typebox';
import type { FastifyReply } from 'fastify';
import type { Context, Routes } from '../context.ts';
import { answers, ById, query } from '../schemas/common.ts';
import { deliver } from '../streams/deliver.ts';
import { sseOutlet } from '../streams/sse.ts';

const EVENT_NUMBER = { minimum: 0, maximum: Number.MAX_SAFE_INTEGER };

export const AfterQuery = query({
  after: Type.Optional(
    Type.Integer({
      ...EVENT_NUMBER,
      default: 0,
      description: 'Number of the last event you have.',
    }),
  ),
});

const LastEventId = Type.Object({
  'last-event-id': Type.Optional(
    Type.Integer({
      ...EVENT_NUMBER,
      description: 'The same, as browsers send it; goes before `after`.',
    }),
  ),
});

export const eventRoutes: Routes = (app, context) => {
  app.get(
    '/api/turns/:id/events',
    {
      schema: {
        tags: ['turns'],
        summary: 'The stream of a turn, as Server-Sent Events, to its end',
        description:
          'Each event has its number as `id`, its type as `event`, and itself as `data`. 204: nothing will come any more.',
        params: ById,
        querystring: AfterQuery,
        headers: LastEventId,
        produces: ['text/event-stream'],
        response: answers({ 200: Type.String(), 204: Type.Null() }),
      },
    },
    async (request, reply) => {
      const after = request.headers['last-event-id'] ?? request.query.after ?? 0;
      const { turns } = context.clientFor(request);
      await streamEvents(reply, { turns, turnId: request.params.id, after }, context);
      return reply;
    },
  );
};

/** When nothing has come for so long, the answer begins all the same: a refusal would have come by then. */
const QUIET_MS = 250;

interface Wanted {
  turns: ReturnType<Context['clientFor']>['turns'];
  turnId: string;
  after: number;
}

async function streamEvents(
  reply: FastifyReply,
  { turns, turnId, after }: Wanted,
  { streams, timing, logger }: Context,
): Promise<void> {
  const stream = streams.open();
  const { signal } = stream;
  reply.raw.once('close', () => stream.close());
  const outlet = sseOutlet(reply, signal);
  let begin: NodeJS.Timeout | undefined;
  try {
    const { state } = await turns.get(turnId);
    if (state !== 'sealed') begin = setTimeout(() => outlet.begin(), QUIET_MS);
    await deliver(turns.events(turnId, { after, signal }), outlet, timing);
  } catch (error) {
    if (!outlet.begun()) throw error;
    if (!signal.aborted) logger.warn('a stream broke off', { turnId, error: String(error) });
    outlet.breakOff();
  } finally {
    clearTimeout(begin);
    stream.close();
  }
}
