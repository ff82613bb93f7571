import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import { messageOf, modelRetry, throwingFailures } from '../../src/activities/failures.ts';
import { TurnkeeperError } from '../../src/contracts/errors.ts';
import { StepRefused, StoreUnavailable } from '../../src/contracts/store.ts';

const thrownFor = (error: unknown): Promise<unknown> =>
  throwingFailures(() => Promise.reject(error as Error)).catch((failure: unknown) => failure);

describe('what an activity throws', () => {
  it.each<[StepRefused['reason'], boolean]>([
    ['turn_sealed', true],
    ['turn_not_found', true],
    ['store_rolled_back', true],
    ['step_fenced', false],
  ])('names a refusal of the ledger by its reason (%s)', async (reason, nonRetryable) => {
    const failure = await thrownFor(new StepRefused(reason, 'No.'));
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({ type: reason, message: 'No.', nonRetryable });
  });

  it('is worth another try when the database is away', async () => {
    const failure = await thrownFor(new StoreUnavailable(new Error('connection lost')));
    expect(failure).toMatchObject({ type: 'unavailable', nonRetryable: false });
  });

  it.each(['index_unreachable', 'temporal_unreachable', 'database_unreachable'] as const)(
    'is worth another try when another part is away (%s)',
    async (code) => {
      const failure = await thrownFor(new TurnkeeperError(code, 'It does not answer.'));
      expect(failure).toMatchObject({ type: code, nonRetryable: false });
    },
  );

  it('is not when a caller did something wrong', async () => {
    const failure = await thrownFor(new TurnkeeperError('document_not_found', 'There is none.'));
    expect(failure).toMatchObject({ type: 'document_not_found', nonRetryable: true });
  });

  it.each([
    ApplicationFailure.nonRetryable('As it is.', 'mine'),
    new CancelledFailure('The turn was cancelled.'),
  ])('passes when it is a failure already (%s)', async (failure) => {
    expect(await thrownFor(failure)).toBe(failure);
  });

  it('is worth another try when it is something else, for it may be a bug that is being mended', async () => {
    const failure = await thrownFor(new RangeError('out of range'));
    expect(failure).toMatchObject({ message: 'out of range', nonRetryable: false });
  });

  it('has a message that Temporal and the database can keep', () => {
    expect(messageOf(new Error(`a\u0000b${'x'.repeat(10_000)}`))).toMatch(/^a\ufffdbx{497}$/);
    expect(messageOf('thrown text')).toBe('thrown text');
  });

  it.each<[string, unknown]>([
    ['throws when it is asked for its words', { toString: () => Promise.reject.call(null) }],
    ['has no words', Object.create(null)],
    [
      'has words that are none',
      Object.assign(new Error(), { message: Object.create(null) as string }),
    ],
    ['lies about what it is', new Proxy({}, { getPrototypeOf: () => [] as never, get: () => 1 })],
  ])('has a message though what was thrown %s', (_, thrown) => {
    expect(messageOf(thrown)).toBe('Something was thrown that cannot be put into words.');
  });

  it('asks for a delay in whole milliseconds, one at least', () => {
    const failure = { reason: 'server_error', message: 'It broke.' };
    expect(modelRetry(failure, 12.4)).toMatchObject({ nextRetryDelay: 12 });
    expect(modelRetry(failure, 0.2)).toMatchObject({ nextRetryDelay: 1 });
  });
});
