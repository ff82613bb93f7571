import { describe, expect, it } from 'vitest';
import { endsStreaming, mayRunStill, Patience } from '../../src/activities/patience.ts';
import { ModelError, type ModelErrorKind } from '../../src/contracts/model.ts';

function failure(kind: ModelErrorKind, details: Partial<ModelError> = {}): ModelError {
  return new ModelError(kind, 'It failed.', { retryable: true, ...details });
}

/** The pauses until it is over. */
function pauses(error: ModelError): (number | null)[] {
  const patience = new Patience();
  const taken: (number | null)[] = [];
  while (!patience.isOver) taken.push(patience.after(error));
  return taken;
}

describe('patience with a response in the background', () => {
  it('is over after a minute of failing connections, with growing pauses between them', () => {
    const taken = pauses(failure('connection')).map(Number);
    expect(taken.slice(0, 3)).toEqual([250, 500, 1_000]);
    expect(Math.max(...taken)).toBe(5_000);
    const total = taken.slice(0, -1).reduce((sum, ms) => sum + ms, 0);
    expect(total).toBeGreaterThan(50_000);
    expect(total).toBeLessThan(70_000);
  });

  it('is over after two silences', () => {
    expect(pauses(failure('timeout'))).toHaveLength(2);
  });

  it('begins anew with each sign of life', () => {
    const patience = new Patience();
    for (let silence = 0; silence < 5; silence++) {
      expect(patience.after(failure('timeout'))).toBe(250);
      expect(patience.isOver).toBe(false);
      patience.renew();
    }
  });

  it('waits as long as the server asks', () => {
    const asked = failure('rate_limited', { status: 429, retryAfterMs: 9_000 });
    expect(new Patience().after(asked)).toBe(9_000);
  });

  it.each([
    ['the server refused for now', failure('server_error', { status: 503 }), true],
    ['the stream made no sense', failure('protocol'), true],
    ['the stream told of an error', failure('server_error'), true],
    ['the response itself failed', failure('server_error', { responseEnded: true }), false],
    ['the response is lost', failure('response_lost', { responseEnded: true }), false],
    ['the key is wrong', failure('authentication', { status: 401, retryable: false }), false],
    ['it was told to stop', failure('aborted', { retryable: false }), false],
    ['it is no failure of a model', new Error('What?'), false],
  ])('is had (%s)', (_why, error, isHad) => {
    expect(new Patience().after(error) !== null).toBe(isHad);
  });

  it.each([
    ['a stream is refused', failure('invalid_request', { status: 400, retryable: false }), true],
    ['the stream told of an error', failure('rate_limited'), true],
    ['the server failed', failure('server_error', { status: 500 }), false],
    ['the connection broke', failure('connection'), false],
    ['the response itself failed', failure('server_error', { responseEnded: true }), false],
  ])('goes with asking instead of streaming where %s: %s', (_why, error, asks) => {
    expect(endsStreaming(error)).toBe(asks);
  });

  it.each([
    ['its key was refused', failure('authentication', { status: 401, retryable: false }), true],
    ['nothing was heard of it', failure('timeout'), true],
    ['it failed', failure('server_error', { responseEnded: true }), false],
    ['this attempt is over', failure('aborted', { retryable: false }), false],
  ])('leaves a response to be stopped where %s: %s', (_why, error, isRunning) => {
    expect(mayRunStill(error)).toBe(isRunning);
  });
});
