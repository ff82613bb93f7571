import { Client, Connection } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import {
  DefaultLogger,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  Worker,
} from '@temporalio/worker';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SummarizeActivities, SummarizeInput } from '../../src/contracts/turn.ts';
import { workflowsPath } from '../../src/open-worker.ts';
import { hasPart, requirePart } from '../support/require-part.ts';
import { freshTaskQueue, testTemporal } from '../support/temporal.ts';

/** The workflow on a real server, with an activity that does what a test wants. */
Runtime.install({
  logger: new DefaultLogger('ERROR', () => undefined),
  telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
});

const taskQueue = freshTaskQueue();
const closings: (() => Promise<unknown>)[] = [];
let client: Client;
let doing: SummarizeActivities['summarize'];

beforeAll(async () => {
  if (!hasPart('temporal')) return;
  const { connectionOptions, namespace } = testTemporal();
  const connection = await NativeConnection.connect(connectionOptions);
  const activities: SummarizeActivities = { summarize: (input) => doing(input) };
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue,
    workflowsPath: workflowsPath(),
    activities,
  });
  const running = worker.run();
  client = new Client({ connection: await Connection.connect(connectionOptions), namespace });
  closings.push(
    async () => {
      worker.shutdown();
      await running;
    },
    () => connection.close(),
    () => client.connection.close(),
  );
});
afterAll(async () => {
  for (const close of closings) await close();
});
beforeEach((context) => requirePart(context, 'temporal'));

async function run(): Promise<{ workflowId: string; input: SummarizeInput }> {
  const input = { tenant: 'default', conversationId: randomUUID() };
  const workflowId = `summary:${input.conversationId}`;
  await client.workflow.execute('summarize', { workflowId, taskQueue, args: [input] });
  return { workflowId, input };
}

/** Answers `more` until it was asked so often; notes what it was asked. */
function untilCall(last: number): SummarizeInput[] {
  const calls: SummarizeInput[] = [];
  doing = async (input) => ({ more: calls.push(input) < last });
  return calls;
}

describe('the workflow of a summary', { timeout: 120_000 }, () => {
  it('calls until there is no more to summarize', async () => {
    const calls = untilCall(3);
    const { input } = await run();
    expect(calls).toEqual([input, input, input]);
  });

  it('goes on in a new run before its history grows long', async () => {
    const calls = untilCall(102);
    const { workflowId, input } = await run();
    expect(calls).toHaveLength(102);
    expect(calls.at(-1)).toEqual(input);
    const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
    expect(events?.[0]?.workflowExecutionStartedEventAttributes).toMatchObject({
      continuedExecutionRunId: expect.stringMatching(/./) as string,
    });
    expect(events?.length).toBeLessThan(20);
  });

  it('fails where a model has failed for good, once', async () => {
    let calls = 0;
    doing = () => {
      calls += 1;
      const failure = { type: 'model_failed', message: 'No such model.', nonRetryable: true };
      return Promise.reject(ApplicationFailure.create(failure));
    };
    await expect(run()).rejects.toThrow();
    expect(calls).toBe(1);
  });
});
