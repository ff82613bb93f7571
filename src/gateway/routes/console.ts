import fastifyStatic from '@fastify/static';
import { Type } from '@sinclair/typebox';
import { fileURLToPath } from 'node:url';
import type { Routes } from '../context.ts';
import { answers } from '../schemas/common.ts';

const FOLDER = fileURLToPath(new URL('../console/', import.meta.url));
const tags = ['console'];
/** Files of two releases don't go together. */
const REVALIDATED = 'no-cache';
const POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** The built-in page: `index.html` at /console, and what it needs below it. */
export const consoleRoutes: Routes = (app) => {
  void app.register(fastifyStatic, { root: FOLDER, serve: false, cacheControl: false });

  const page = { produces: ['text/html'], response: answers({ 200: Type.String() }) };

  app.get(
    '/console',
    { exposeHeadRoute: true, schema: { tags, summary: 'A page to watch turns', ...page } },
    async (_request, reply) =>
      reply
        .header('content-security-policy', POLICY)
        .header('cache-control', REVALIDATED)
        .sendFile('index.html'),
  );

  app.get(
    '/console/*',
    { schema: { hide: true, params: Type.Object({ '*': Type.String() }) } },
    async (request, reply) =>
      reply.header('cache-control', REVALIDATED).sendFile(request.params['*']),
  );
};
