import { APIConnectionTimeoutError, APIError } from 'openai';
import { describe, expect, it } from 'vitest';
import { ModelError } from '../../src/contracts/model.ts';
import { classifyFailedEvent, classifyModelFailure } from '../../src/model/classify.ts';

function answered(status: number, error: object, headers = {}): APIError {
  return APIError.generate(status, { error }, undefined, new Headers(headers));
}

function withCause(message: string, cause: object): TypeError {
  return new TypeError(message, { cause: Object.assign(new Error('inner'), cause) });
}

describe('classifying a failed model call', () => {
  it('leaves an error alone that is classified already', () => {
    const error = new ModelError('timeout', 'Too slow.', { retryable: true });
    expect(classifyModelFailure(error)).toBe(error);
  });

  it.each([
    [{ message: 'The model `x` does not exist.', code: 404 }, 'model_not_found'],
    [{ message: 'Nothing here.', param: 'model' }, 'model_not_found'],
    [{ message: 'No route.' }, 'invalid_request'],
  ])('reads a 404 with body %j as %s', (body, kind) => {
    expect(classifyModelFailure(answered(404, body))).toMatchObject({ kind, retryable: false });
  });

  it('recognizes a context that is too long by the message of servers that send no code', () => {
    const message = "This model's maximum context length is 4096 tokens.";
    expect(classifyModelFailure(answered(400, { message, code: 400 })).kind).toBe('context_length');
  });

  it('does not retry an exhausted quota, whatever the server asks for', () => {
    const body = { message: 'Pay first.', type: 'insufficient_quota', code: null };
    expect(classifyModelFailure(answered(429, body, { 'x-should-retry': 'true' }))).toMatchObject({
      kind: 'quota_exceeded',
      retryable: false,
    });
  });

  it.each([
    'UND_ERR_HEADERS_TIMEOUT',
    'UND_ERR_BODY_TIMEOUT',
    'UND_ERR_CONNECT_TIMEOUT',
    'ETIMEDOUT',
  ])('reads %s below a failed fetch as a timeout', (code) => {
    expect(classifyModelFailure(withCause('fetch failed', { code }))).toMatchObject({
      kind: 'timeout',
      retryable: true,
    });
  });

  it.each([
    [new APIConnectionTimeoutError(), 'timeout', true],
    [withCause('terminated', { code: 'UND_ERR_SOCKET' }), 'connection', true],
    [withCause('fetch failed', { code: 'ENOTFOUND' }), 'connection', true],
    [new DOMException('stop', 'AbortError'), 'aborted', false],
    [new SyntaxError('Unexpected end of JSON input'), 'protocol', true],
    [new TypeError('x is not a function'), 'invalid_request', false],
    ['a string', 'protocol', true],
  ])('reads %s as %s, retryable: %s', (error, kind, retryable) => {
    expect(classifyModelFailure(error)).toMatchObject({ kind, retryable });
  });

  it.each([
    [withCause('fetch failed', { code: 'ECONNREFUSED', syscall: 'connect' }), true],
    [withCause('fetch failed', { code: 'ENOTFOUND', syscall: 'getaddrinfo' }), true],
    [withCause('fetch failed', { code: 'ECONNRESET', syscall: 'connect' }), true],
    [withCause('fetch failed', { code: 'UND_ERR_CONNECT_TIMEOUT' }), true],
    [withCause('fetch failed', { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }), true],
    [new TypeError('fetch failed', { cause: new AggregateError([new Error('inner')]) }), true],
    [new TypeError('x is not a function'), true],
    [withCause('fetch failed', { code: 'ECONNRESET', syscall: 'read' }), false],
    [withCause('fetch failed', { code: 'UND_ERR_SOCKET' }), false],
    [withCause('fetch failed', { code: 'UND_ERR_HEADERS_TIMEOUT' }), false],
    [new APIConnectionTimeoutError(), false],
  ])('tells of %s (%#) whether the request was certainly not sent: %s', (error, unsent) => {
    expect(classifyModelFailure(error).unsent).toBe(unsent);
  });

  it('writes messages as sentences', () => {
    expect(classifyModelFailure(answered(400, { message: 'Bad temperature' })).message).toBe(
      'The model server answered 400: Bad temperature.',
    );
  });
});

describe('classifying an event', () => {
  it('finds no failure in other events, whatever they carry', () => {
    for (const type of ['response.completed', 'response.incomplete', 'response.errors.delta']) {
      expect(classifyFailedEvent({ type, error: { code: 'server_error' } }, {})).toBeNull();
    }
  });

  it('takes a failed response that gives no reason for a fault of the server', () => {
    const event = { type: 'response.failed', response: { error: null } };
    expect(classifyFailedEvent(event, { requestId: 'req_1' })).toMatchObject({
      kind: 'server_error',
      retryable: true,
      requestId: 'req_1',
    });
  });
});
