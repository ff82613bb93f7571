import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concludeFailure, retryDelayMs } from '../../src/activities/model-failure.ts';
import { ModelError } from '../../src/contracts/model.ts';
import { StoreUnavailable, type Store } from '../../src/contracts/store.ts';
import { attemptOf, stepStore, TURN } from './stand-ins.ts';

function failure({ retryable = true, retryAfterMs = null as number | null } = {}): ModelError {
  return new ModelError('server_error', 'It broke.', {
    retryable,
    retryAfterMs,
    requestId: 'req_1',
  });
}

describe('the delay before a model call is repeated', () => {
  it('doubles from half a second, with a jitter of up to half of it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 }), (failedCalls) => {
        const ceiling = 500 * 2 ** failedCalls;
        const delay = retryDelayMs({ error: failure(), failedCalls }) ?? 0;
        expect(delay).toBeGreaterThanOrEqual(ceiling / 2);
        expect(delay).toBeLessThanOrEqual(ceiling);
      }),
    );
  });

  it('is another one each time, so that callers who failed together come back apart', () => {
    const delays = Array.from({ length: 50 }, () =>
      retryDelayMs({ error: failure(), failedCalls: 0 }),
    );
    expect(new Set(delays).size).toBeGreaterThan(10);
  });

  it('is never shorter than what the server asked for, and hardly longer', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60_000 }),
        fc.integer({ min: 0, max: 2 }),
        (asked, failedCalls) => {
          const delay = retryDelayMs({ error: failure({ retryAfterMs: asked }), failedCalls }) ?? 0;
          expect(delay).toBeGreaterThan(asked);
          expect(delay).toBeLessThanOrEqual(asked + 500);
        },
      ),
    );
  });

  it.each([
    ['the failure is for good', failure({ retryable: false }), 0],
    ['four calls have failed', failure(), 3],
    ['the server asks for more than a minute', failure({ retryAfterMs: 60_001 }), 0],
  ])('is none when %s', (_, error, failedCalls) => {
    expect(retryDelayMs({ error, failedCalls })).toBeNull();
  });
});

describe('a failed model call', () => {
  const ref = { ...TURN, step: 'respond:1', fence: { scheduledMs: 1, attempt: 1 } };

  function conclude(error: ModelError, steps = stepStore(), environment = attemptOf()) {
    const call = { error, callId: 'call', failedCalls: 0 };
    return environment.run(() => concludeFailure({ steps } as unknown as Store, ref, call));
  }

  it('is recorded, and repeated by Temporal after the delay', async () => {
    const steps = stepStore();
    const thrown = await conclude(failure(), steps);
    expect(thrown).toMatchObject({ type: 'model_retry', nonRetryable: false });
    expect((thrown as { nextRetryDelay?: number }).nextRetryDelay).toBeGreaterThanOrEqual(250);
    expect(steps.recordFailedCall).toHaveBeenCalledWith(ref, 'call', {
      requestId: 'req_1',
      error: 'server_error',
      refused: false,
    });
    expect(steps.settleFailure).not.toHaveBeenCalled();
  });

  it.each([
    ['was refused by the server', { status: 429 }, true],
    ['was never sent', { unsent: true }, true],
    ['may have been taken before the connection broke', {}, false],
  ])('that %s counts accordingly', async (_, details, refused) => {
    const steps = stepStore();
    await conclude(
      new ModelError('connection', 'It broke.', { retryable: true, ...details }),
      steps,
    );
    expect(steps.recordFailedCall.mock.lastCall?.[2]).toMatchObject({ refused });
  });

  it('ends its step when it is for good', async () => {
    const steps = stepStore();
    const thrown = await conclude(failure({ retryable: false }), steps);
    expect(thrown).toMatchObject({
      type: 'model_failed',
      nonRetryable: true,
      details: ['server_error'],
    });
    expect(steps.settleFailure).toHaveBeenCalledWith(ref, {
      reason: 'server_error',
      message: 'It broke.',
    });
  });

  it('ends its step when the turn’s deadline comes before the next try', async () => {
    const environment = attemptOf({ scheduleToCloseTimeoutMs: 3_000 });
    const thrown = await conclude(failure({ retryAfterMs: 5_000 }), stepStore(), environment);
    expect(thrown).toMatchObject({ type: 'model_failed' });
  });

  it('is recorded also when the database was away for a moment', async () => {
    const steps = stepStore();
    steps.recordFailedCall.mockRejectedValueOnce(
      new StoreUnavailable(new Error('connection lost')),
    );
    expect(await conclude(failure(), steps)).toMatchObject({ type: 'model_retry' });
    expect(steps.recordFailedCall).toHaveBeenCalledTimes(2);
  });
});
