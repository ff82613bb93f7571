import type { WorkflowHandle } from '@temporalio/client';
import { activityInfo } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type {
  CloseTurnInput,
  TurnActivities,
  TurnInput,
  TurnOutcome,
} from '../../src/contracts/turn.ts';
import { activityInputs } from '../support/histories.ts';
import { freshTaskQueue } from '../support/temporal.ts';
import { useWorkflows } from '../support/use-workflows.ts';

const taskQueue = freshTaskQueue();

/** What the activities do now. Without another wish the model answers and the store does what it is told. */
const doing: TurnActivities = { ...plain() };

function plain(): TurnActivities {
  return {
    retrieve: async () => ({ passages: 0 }),
    respond: async () => ({ kind: 'answer' }),
    runTool: async () => ({ outcome: 'succeeded' }),
    readActions: async () => ({ states: {}, waitMs: null, timeLeftMs: 60_000 }),
    closeTurn: async ({ ending }) => outcomeOf(ending),
  };
}

function outcomeOf(ending: CloseTurnInput['ending']): TurnOutcome {
  return { status: ending.status, reason: 'reason' in ending ? ending.reason : null };
}

const activities: TurnActivities = {
  retrieve: (input) => doing.retrieve(input),
  respond: (input) => doing.respond(input),
  runTool: (input) => doing.runTool(input),
  readActions: (input) => doing.readActions(input),
  closeTurn: (input) => doing.closeTurn(input),
};
const client = useWorkflows(taskQueue, activities);
beforeEach(() => {
  Object.assign(doing, plain());
});

const INPUT: Omit<TurnInput, 'turnId' | 'deadlineMs'> = {
  tenant: 'default',
  conversationId: 'c',
  assistant: { id: 'a', version: 1, name: 'A' },
  retrieve: false,
  models: ['small'],
  fallbackAnswer: false,
  maxRounds: 3,
};

async function start(more: Partial<TurnInput> = {}): Promise<WorkflowHandle> {
  const turnId = randomUUID();
  const input = { ...INPUT, turnId, deadlineMs: Date.now() + 60_000, ...more };
  return client().workflow.start('turn', { workflowId: turnId, taskQueue, args: [input] });
}

const failing =
  (type: string, nonRetryable = true) =>
  () =>
    Promise.reject(ApplicationFailure.create({ type, message: 'It broke.', nonRetryable }));

/** How the workflow asked for the turn to end. */
function asked() {
  const closeTurn = vi.fn(doing.closeTurn);
  doing.closeTurn = closeTurn;
  return () => closeTurn.mock.lastCall?.[0].ending;
}

describe('a turn whose store is in trouble at its end', () => {
  it('tries for four seconds in place, and then from outside until it succeeds', async () => {
    let regular = 0;
    doing.closeTurn = async ({ ending }) => {
      if (activityInfo().isLocal || ++regular === 1) return failing('unavailable', false)();
      return outcomeOf(ending);
    };
    const turn = await start();
    await expect(turn.result()).resolves.toEqual({ status: 'completed', reason: null });
    expect(regular).toBe(2);
    expect(activityInputs(await turn.fetchHistory(), 'closeTurn')).toHaveLength(1);
  });

  it('is closed from outside too when the store does not answer at all', async () => {
    const regular = vi.fn(doing.closeTurn);
    let giveUp: (error: Error) => void = () => undefined;
    const local = vi.fn(() => new Promise<never>((_, reject) => (giveUp = reject)));
    doing.closeTurn = (input) => (activityInfo().isLocal ? local() : regular(input));
    const turn = await start();
    await expect(turn.result()).resolves.toEqual({ status: 'completed', reason: null });
    expect(local).toHaveBeenCalledOnce();
    expect(regular).toHaveBeenCalledOnce();
    giveUp(new Error('connection lost'));
  });

  it('fails at once when the store does not know it', async () => {
    const closeTurn = vi.fn(failing('turn_not_found'));
    doing.closeTurn = closeTurn;
    const turn = await start();
    await expect(turn.result()).rejects.toMatchObject({ cause: { type: 'turn_not_found' } });
    expect(closeTurn).toHaveBeenCalledOnce();
  });
});

describe('a turn that cannot go on', () => {
  it.each(['turn_sealed', 'turn_not_found', 'store_rolled_back'])(
    'asks to end as failed, and asks no fallback (%s)',
    async (reason) => {
      const ending = asked();
      const respond = vi.fn(failing(reason));
      doing.respond = respond;
      const turn = await start({ models: ['small', 'large'], fallbackAnswer: true });
      await expect(turn.result()).rejects.toMatchObject({ cause: { type: reason } });
      expect(ending()).toEqual({ status: 'failed', reason, message: 'It broke.' });
      expect(respond).toHaveBeenCalledOnce();
    },
  );

  it('ends so after its retrieval too', async () => {
    const ending = asked();
    doing.retrieve = failing('store_rolled_back');
    const respond = vi.fn(doing.respond);
    doing.respond = respond;
    await expect((await start({ retrieve: true })).result()).rejects.toThrow();
    expect(ending()).toMatchObject({ status: 'failed', reason: 'store_rolled_back' });
    expect(respond).not.toHaveBeenCalled();
  });

  it('has its own word for failures without one', async () => {
    const ending = asked();
    doing.respond = () =>
      Promise.reject(ApplicationFailure.create({ message: 'Odd.', nonRetryable: true }));
    await expect((await start()).result()).rejects.toMatchObject({
      cause: { type: 'internal_error' },
    });
    expect(ending()).toEqual({ status: 'failed', reason: 'internal_error', message: 'Odd.' });
  });
});

describe('a turn whose retrieval is lost', () => {
  it('goes on, and its model call follows nothing', async () => {
    doing.retrieve = failing('odd');
    const turn = await start({ retrieve: true });
    await expect(turn.result()).resolves.toMatchObject({ status: 'completed' });
    expect(activityInputs(await turn.fetchHistory(), 'respond')).toMatchObject([{ after: [] }]);
  });
});

describe('Temporal’s outcome', () => {
  it.each<[TurnOutcome, string]>([
    [{ status: 'cancelled', reason: null }, 'cancelled'],
    [{ status: 'expired', reason: null }, 'expired'],
    [{ status: 'failed', reason: 'workflow_lost' }, 'workflow_lost'],
  ])('follows the row when somebody else had ended the turn (%j)', async (outcome, type) => {
    doing.closeTurn = async () => outcome;
    const turn = await start();
    await expect(turn.result()).rejects.toMatchObject({ cause: { type } });
    expect((await turn.describe()).status.name).toBe('FAILED');
  });

  it('follows the row when the turn was cancelled while it was being closed', async () => {
    let close: (outcome: TurnOutcome) => void = () => undefined;
    const closing = new Promise<TurnOutcome>((resolve) => (close = resolve));
    const closeTurn = vi.fn(() => closing);
    doing.closeTurn = closeTurn;
    const turn = await start();
    await vi.waitUntil(() => closeTurn.mock.calls.length > 0, 10_000);
    await turn.cancel();
    close({ status: 'completed', reason: null });
    await expect(turn.result()).resolves.toEqual({ status: 'completed', reason: null });
  });
});

describe('a bug in the workflow', () => {
  it('does not end the turn: its task fails, so that a fix can go on with it', async () => {
    const closeTurn = vi.fn(doing.closeTurn);
    doing.closeTurn = closeTurn;
    // No model reply has this form: what reads it throws a TypeError.
    doing.respond = async () => ({ kind: 'calls' }) as never;
    const turn = await start();
    const failures = async () => {
      const { events } = await turn.fetchHistory();
      return (events ?? []).flatMap((event) => event.workflowTaskFailedEventAttributes ?? []);
    };
    await vi.waitUntil(async () => (await failures()).length > 0, {
      timeout: 20_000,
      interval: 100,
    });
    expect((await failures())[0]?.failure?.stackTrace).toContain('TypeError');
    expect((await turn.describe()).status.name).toBe('RUNNING');
    expect(closeTurn).not.toHaveBeenCalled();
    await turn.terminate('The test is over.');
  });
});
