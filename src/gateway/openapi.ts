import fastifySwagger from '@fastify/swagger';
import type { App } from './context.ts';

const DESCRIPTION =
  'Conversations with language models, as durable turns. Errors are `{ error: { code, message, details? } }`; docs/errors.md lists the codes, docs/http.md says how streams are read.';

/** Gathers the schemas of all routes that are added after it. */
export async function describeRoutes(app: App, version: string): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Turnkeeper', version, description: DESCRIPTION },
    },
    refResolver: { buildLocalReference: (schema) => String(schema.$id) },
  });
}
