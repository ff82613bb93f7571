import { ActivityCancellationDetails } from '@temporalio/common';
import type { MockActivityEnvironment } from '@temporalio/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createRunTool } from '../../src/activities/run-tool.ts';
import type { TurnState } from '../../src/contracts/store.ts';
import { AttemptOver, type ToolDefinition } from '../../src/contracts/tools.ts';
import { attemptOf, ports, shutDown, TURN, turnsIn } from './stand-ins.ts';

const CALL = { callId: 'c1', name: 'tool', policy: 'idempotent', timeoutMs: 30_000 } as const;
const GRACE_MS = 10_000;

/** As when Temporal answers a heartbeat that it does not know this attempt: another one runs, or the turn has ended. */
function loseAttempt(environment: MockActivityEnvironment): void {
  environment.cancel('NOT_FOUND', new ActivityCancellationDetails({ notFound: true }));
}

/** Runs a tool that never ends, and stops it in that way; the reason that its signal was given. */
async function stoppedBy(
  stop: (environment: MockActivityEnvironment) => void,
  state: TurnState = 'started',
) {
  const signals: AbortSignal[] = [];
  const settled = vi.fn<NonNullable<ToolDefinition['settled']>>();
  const tool: ToolDefinition = {
    name: 'tool',
    description: 'Never ends.',
    parameters: { type: 'object' },
    policy: 'idempotent',
    run: (_args, { signal }) => new Promise(() => signals.push(signal)),
    settled,
  };
  const turns = turnsIn(state);
  const environment = attemptOf();
  const runTool = createRunTool(ports({ tools: [tool], turns }));
  const input = { ...TURN, step: 'tool:c1', after: [], call: CALL };
  const running = environment.run(runTool, input).catch((error: unknown) => error);
  await vi.waitUntil(() => signals.length === 1);
  stop(environment);
  await vi.advanceTimersByTimeAsync(GRACE_MS);
  await running;
  // Nobody waits for what becomes of it.
  await new Promise(setImmediate);
  return { reason: signals[0]?.reason as unknown, settled };
}

describe('a tool call that is given up', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  it.each([
    ['its worker goes away', shutDown],
    ['Temporal does not know it any more', loseAttempt],
  ])('because %s is told that another attempt may follow', async (_, stop) => {
    expect((await stoppedBy(stop)).reason).toBeInstanceOf(AttemptOver);
  });

  it('because its turn is cancelled is told that nobody wants it', async () => {
    const { reason } = await stoppedBy((environment) => environment.cancel());
    expect(reason).not.toBeInstanceOf(AttemptOver);
  });

  it('keeps what the next attempt may collect, while there may be one', async () => {
    expect((await stoppedBy(loseAttempt)).settled).not.toHaveBeenCalled();
  });

  it('lets go of it when its turn has ended meanwhile', async () => {
    const { settled } = await stoppedBy(loseAttempt, 'sealed');
    expect(settled).toHaveBeenCalledExactlyOnceWith({ key: `${TURN.turnId}:tool:c1` });
  });
});
