import { Type } from '@sinclair/typebox';
import type { JsonObject } from '../../contracts/json.ts';
import type { Routes } from '../context.ts';
import { checkHealth } from '../health.ts';
import { AnyObject, answers, nullable, words } from '../schemas/common.ts';

const tags = ['server'];

const InfoAnswer = Type.Object({
  version: Type.String(),
  temporalUi: nullable(Type.String({ description: "Address of Temporal's Web UI." })),
  namespace: Type.String(),
  runsOn: Type.Array(Type.String()),
});

/** What concerns the server itself. */
export const serverRoutes: Routes = (app, { info, databaseAnswers }) => {
  const healthy = checkHealth(databaseAnswers);
  app.get(
    '/health',
    {
      exposeHeadRoute: true,
      schema: {
        tags,
        summary: 'Whether everything is ready and the database answers',
        response: answers({ 200: Type.Object({ status: words('ok') }) }),
      },
    },
    async () => {
      await healthy();
      return { status: 'ok' as const };
    },
  );

  app.get(
    '/api/info',
    { schema: { tags, summary: 'What this server is', response: answers({ 200: InfoAnswer }) } },
    () => info,
  );

  app.get(
    '/api/openapi.json',
    { schema: { tags, summary: 'This document', response: answers({ 200: AnyObject }) } },
    () => app.swagger() as unknown as JsonObject,
  );
};
