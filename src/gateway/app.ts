import fastifyWebsocket from '@fastify/websocket';
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify';
import type { Context } from './context.ts';
import type { App } from './context.ts';
import { errorBody, STATUS, toTurnkeeperError } from './errors.ts';
import { refuseBrokenHttp } from './broken-http.ts';
import { refuseForeignPages } from './loopback.ts';
import { describeRoutes } from './openapi.ts';
import { readJson, validatorCompiler } from './parsing.ts';
import { actionRoutes } from './routes/actions.ts';
import { assistantRoutes } from './routes/assistants.ts';
import { answerPreflight, codecRoutes, guestOf } from './routes/codec.ts';
import { consoleRoutes } from './routes/console.ts';
import { conversationRoutes } from './routes/conversations.ts';
import { documentRoutes } from './routes/documents.ts';
import { eventRoutes } from './routes/events.ts';
import { fileRoutes } from './routes/files.ts';
import { makeAgainRoutes } from './routes/make-again.ts';
import { serverRoutes } from './routes/server.ts';
import { socketRoutes } from './routes/socket.ts';
import { turnRoutes } from './routes/turns.ts';
import { NAMED_SCHEMAS } from './schemas/index.ts';
import { STREAM_TIMING } from './streams/deliver.ts';
import { createStreams } from './streams/streams.ts';
import { MAX_PAYLOAD_BYTES } from './streams/websocket.ts';
import { TurnkeeperError } from '../contracts/errors.ts';
import { describeError } from '../contracts/thrown.ts';

/** A request that has not come whole by then is given up. */
const REQUEST_TIMEOUT_MS = 120_000;
const HEADERS_TIMEOUT_MS = 15_000;
/** Twice a UUID: ids that are longer are nobody's. */
const MAX_PARAM_LENGTH = 72;

export type GatewayOptions = Pick<Context, 'clientFor' | 'limits' | 'info' | 'logger'> &
  Partial<Pick<Context, 'timing' | 'codec' | 'codecOrigin' | 'databaseAnswers'>> & {
    /** Readers that wait in this process at most. */
    maxStreams: number;
  };

/** The HTTP application, apart from listening. Closing it ends its streams, whose readers come back. */
export async function createGateway(options: GatewayOptions): Promise<App> {
  const { maxStreams, timing = STREAM_TIMING, codec = null, codecOrigin = null } = options;
  const { clientFor, limits, info, logger, databaseAnswers = () => Promise.resolve() } = options;
  const streams = createStreams(maxStreams);
  const parts = { clientFor, limits, info, databaseAnswers, logger, codec, codecOrigin };
  const context: Context = { ...parts, streams, timing };
  const app: App = fastify({
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS },
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    exposeHeadRoutes: false,
    clientErrorHandler: refuseBrokenHttp,
    return503OnClosing: false,
    frameworkErrors: (error, request, reply) => {
      // No hook sees these, and a handshake among them would keep its socket.
      reply.raw.once('finish', () => request.raw.socket.destroySoon());
      answerError(context, error, request, reply);
    },
  });
  app.setErrorHandler((error, request, reply) => answerError(context, error, request, reply));
  app.setNotFoundHandler(({ method, url }) => {
    throw new TurnkeeperError('route_not_found', `There is no ${method} ${url}.`);
  });
  app.setValidatorCompiler(validatorCompiler);
  // Schemas describe answers and are tested against them; they must never drop a field.
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  readJson(app);
  app.addHook('onSend', (_request, reply, payload, done) => {
    reply.header('x-content-type-options', 'nosniff');
    done(null, payload);
  });
  app.addHook('preClose', (done) => {
    streams.end();
    done();
  });
  for (const schema of NAMED_SCHEMAS) app.addSchema(schema);
  await describeRoutes(app, context.info.version);
  await app.register(fastifyWebsocket, { options: { maxPayload: MAX_PAYLOAD_BYTES } });
  // Behind the plugin's own hook, which lets go of a handshake that is refused.
  app.addHook('onRequest', (request, reply, done) => {
    const guest = guestOf(request, codecOrigin);
    refuseForeignPages(request.headers, guest);
    if (!answerPreflight(request, reply, guest)) done();
  });
  for (const routes of ROUTES) routes(app, context);
  await app.ready();
  return app;
}

const ROUTES = [
  serverRoutes,
  assistantRoutes,
  conversationRoutes,
  turnRoutes,
  makeAgainRoutes,
  actionRoutes,
  eventRoutes,
  socketRoutes,
  documentRoutes,
  fileRoutes,
  codecRoutes,
  consoleRoutes,
];

function answerError(
  { logger }: Context,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const refusal = toTurnkeeperError(error, request.routeOptions.bodyLimit);
  const status = STATUS[refusal.code];
  if (status >= 500) {
    const { url } = request.routeOptions;
    const reason = (error instanceof Error && error.stack) || describeError(error);
    logger.error('a request failed', { method: request.method, route: url ?? null, reason });
  }
  return reply.code(status).send(errorBody(refusal));
}
