import { Client, Connection } from '@temporalio/client';
import {
  DefaultLogger,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  Worker,
} from '@temporalio/worker';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { workflowCode } from '../../src/workflow-code.ts';
import { hasPart, requirePart } from './require-part.ts';
import { testTemporal } from './temporal.ts';

/** Our workflows on a real server, in this process, with activities that do what the tests of this file want. */
export function useWorkflows(taskQueue: string, activities: object): () => Client {
  let client: Client | undefined;
  const closings: (() => Promise<unknown>)[] = [];
  Runtime.install({
    logger: new DefaultLogger('ERROR', () => undefined),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
  });
  beforeAll(async () => {
    if (!hasPart('temporal')) return;
    const { connectionOptions, namespace } = testTemporal();
    const connection = await NativeConnection.connect(connectionOptions);
    const options = { connection, namespace, taskQueue, activities };
    const worker = await Worker.create({ ...options, ...workflowCode() });
    const running = worker.run();
    const opened = new Client({
      connection: await Connection.connect(connectionOptions),
      namespace,
    });
    client = opened;
    closings.push(
      async () => {
        worker.shutdown();
        await running;
      },
      () => connection.close(),
      () => opened.connection.close(),
    );
  });
  afterAll(async () => {
    for (const close of closings) await close();
  });
  beforeEach((context) => requirePart(context, 'temporal'));
  return () => {
    if (!client) throw new Error('The workflows run only while tests run.');
    return client;
  };
}
