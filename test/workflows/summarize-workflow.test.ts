import { ApplicationFailure } from '@temporalio/common';
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { SummarizeActivities, SummarizeInput } from '../../src/contracts/turn.ts';
import { freshTaskQueue } from '../support/temporal.ts';
import { useWorkflows } from '../support/use-workflows.ts';

const taskQueue = freshTaskQueue();
let doing: SummarizeActivities['summarize'];

const activities: SummarizeActivities = { summarize: (input) => doing(input) };
const client = useWorkflows(taskQueue, activities);

async function run(): Promise<{ workflowId: string; input: SummarizeInput }> {
  const input = { tenant: 'default', conversationId: randomUUID() };
  const workflowId = `summary:${input.conversationId}`;
  await client().workflow.execute('summarize', { workflowId, taskQueue, args: [input] });
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
    const { events } = await client().workflow.getHandle(workflowId).fetchHistory();
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
