import { describe, expect, it } from 'vitest';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import {
  createsOf,
  endOf,
  eventTypes,
  runTurn,
  shownText,
  startTurn,
  useWorld,
  type EndedTurn,
} from '../support/turns.ts';

const IDLE_TIMEOUT_MS = 4_000;

const world = useWorld(() => ({ TURNKEEPER_MODEL_IDLE_TIMEOUT_MS: String(IDLE_TIMEOUT_MS) }));

const answer = (text = 'All is well.'): ScriptStep => ({ kind: 'answer', text });
const serverError: ScriptStep = { kind: 'error', status: 500 };
const packets = (...lines: (string | Buffer)[]): ScriptStep => ({
  kind: 'raw',
  lines: lines.map((line) => Buffer.from(line).toString('base64')),
});
const callsWithIds = (...callIds: string[]): ScriptStep => ({
  kind: 'calls',
  calls: callIds.map((callId) => ({ name: 'add', arguments: { a: 1, b: 1 }, callId })),
});

const FAILURES: [why: string, ScriptStep][] = [
  ['the server answers 500', serverError],
  ['the response fails', { kind: 'failed', code: 'server_error', text: 'Not this.' }],
  [
    'the stream ends too early',
    packets('event: response.created\n', 'data: {"type":"response.created","response":{}}\n\n'),
  ],
  ['the stream is not JSON', packets('event: response.created\n', 'data: {"type":\n\n')],
  [
    'the stream is not UTF-8',
    packets('data: {"type":"x","text":"', Buffer.from([0xff, 0xfe]), '"}\n\n'),
  ],
  ['two calls have the same id', callsWithIds('same', 'same')],
  ['the id of a call is empty', callsWithIds('')],
  ['the id of a call has a space', callsWithIds('call 1')],
  ['the id of a call is endless', callsWithIds('x'.repeat(129))],
  ['the server is silent', { kind: 'hang', beforeHeaders: true }],
];

let scripted: Promise<void> | undefined;

/** All at once, for each waits before its second try: a model of its own for each failure. */
function scriptFailures(): Promise<void> {
  scripted ??= world.current.offline.script(
    FAILURES.flatMap(([model, failure]) =>
      [failure, answer()].map((step) => ({ ...step, when: { model } })),
    ),
  );
  return scripted;
}

/** The turn is as if nothing had happened, but for one more attempt. */
function expectRecovered(turn: EndedTurn, text = 'All is well.'): void {
  expect(turn).toMatchObject({ status: 'completed', reason: null, answer: text });
  expect(turn.steps).toMatchObject([{ key: 'respond:1', status: 'completed', attempts: 2 }]);
  expect(turn.output).toHaveLength(1);
  expect(shownText(turn.events)).toBe(text);
}

describe('a model call that fails and is worth another try', () => {
  it('is not repeated before the time that the server asked for', async () => {
    const limited: ScriptStep = {
      kind: 'error',
      status: 429,
      code: 'rate_limit_exceeded',
      headers: { 'retry-after': '1' },
    };
    const turn = await runTurn(world.current, { script: [limited, answer()] });
    expectRecovered(turn);
    const [first, second] = await createsOf(world.current);
    expect(Number(second?.at) - Number(first?.at)).toBeGreaterThanOrEqual(1_000);
    expect(turn.usage.calls).toMatchObject([
      { state: 'failed', estimated: false, inputTokens: 0, outputTokens: 0, requestId: first?.id },
      { state: 'completed', estimated: false, requestId: second?.id },
    ]);
    expect(eventTypes(turn.events)).not.toContain('turn.rewind');
  });

  it('that broke off in mid-stream starts again, takes back what it showed, and counts as spent', async () => {
    const text = 'one two three four';
    const turn = await runTurn(world.current, {
      script: [{ kind: 'cut', text, afterDeltas: 3 }, answer(text)],
    });
    expectRecovered(turn, text);
    expect(eventTypes(turn.events).filter((type) => type === 'turn.rewind')).toHaveLength(1);
    expect(turn.usage.calls).toMatchObject([
      { state: 'failed', estimated: true },
      { state: 'completed', estimated: false },
    ]);
    const [broken, whole] = turn.usage.calls;
    expect(broken?.inputTokens).toBeGreaterThan(0);
    expect(broken?.outputTokens).toBe(Math.ceil('one two three '.length / 4));
    expect(turn.usage.outputTokens).toBe(
      Number(broken?.outputTokens) + Number(whole?.outputTokens),
    );
  });

  it.concurrent.each(FAILURES)('is repeated when %s', async (why) => {
    await scriptFailures();
    const assistant = { model: why, tools: ['add'] };
    expectRecovered(await endOf(world.current, await startTurn(world.current, { assistant })));
  });

  it('is repeated when it gives a new call the id of an earlier one of the turn', async () => {
    const turn = await runTurn(world.current, {
      assistant: { tools: ['add'] },
      script: [callsWithIds('c1'), callsWithIds('c1'), callsWithIds('c2'), answer()],
    });
    expect(turn.status).toBe('completed');
    expect(turn.steps.map(({ key, attempts }) => [key, attempts])).toEqual([
      ['respond:1', 1],
      ['tool:c1', 1],
      ['respond:2', 2],
      ['tool:c2', 1],
      ['respond:3', 1],
    ]);
  });

  it('is given up after four calls', async () => {
    const turn = await runTurn(world.current, { script: [{ ...serverError, times: 4 }] });
    expect(turn).toMatchObject({ status: 'failed', reason: 'server_error' });
    expect(turn.usage.calls.map(({ state }) => state)).toEqual(Array(4).fill('failed'));
    expect(turn.message).toContain('500');
  });

  it('is given up when the server asks for more patience than a minute', async () => {
    const turn = await runTurn(world.current, {
      script: [{ kind: 'error', status: 429, headers: { 'retry-after': '61' } }],
    });
    expect(turn).toMatchObject({ status: 'failed', reason: 'rate_limited' });
  });
});

describe('a model call that fails for good', () => {
  it.each([
    ['invalid_request', { status: 400, message: 'Unknown parameter.' }],
    ['authentication', { status: 401, code: 'invalid_api_key' }],
    ['quota_exceeded', { status: 429, code: 'insufficient_quota' }],
    ['model_not_found', { status: 404, code: 'model_not_found' }],
    ['content_filter', { status: 400, code: 'content_policy_violation' }],
    ['context_length', { status: 400, code: 'context_length_exceeded' }],
  ])('for %s fails the turn at once, and the next turn works', async (reason, error) => {
    const turn = await runTurn(world.current, { script: [{ kind: 'error', ...error }] });
    expect(turn).toMatchObject({ status: 'failed', reason, answer: '', output: [] });
    expect(turn.steps).toMatchObject([{ status: 'failed', attempts: 1, error: { reason } }]);
    const next = await runTurn(world.current, {
      conversationId: turn.conversationId,
      script: [answer()],
    });
    expect(next.status).toBe('completed');
  });
});
