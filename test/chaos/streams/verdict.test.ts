import { describe, expect, it } from 'vitest';
import type { ModelCall } from '../../../src/contracts/store.ts';
import type { Create } from './creates.ts';
import type { Fault } from './faults.ts';
import { broken, summarize, type Outcome } from './run.ts';
import type { Generation, Point } from './turn.ts';

describe('a run under faults', () => {
  it('is whole when each call was made once', () => {
    expect(verdict('kill the worker', {})).toEqual([]);
  });

  it.each(['kill the worker', 'pause the model', 'cut the database', 'kill the gateway'])(
    'fails when a background response is made again: %s',
    (fault) => {
      const problems = verdict(fault, { lost: ['respond:1'] });
      expect(problems).toEqual([expect.stringContaining('1 responses made again')]);
    },
  );

  it.each([
    ['background', 'kill the model'],
    ['foreground', 'kill the model'],
    ['foreground', 'pause the worker'],
    ['foreground', 'cut the model'],
  ] as const)('lets a response in the %s be made again: %s', (generation, fault) => {
    expect(verdict(fault, { generation, lost: ['respond:1'], rewinds: 1 })).toEqual([]);
  });

  it.each(['kill the gateway', 'pause the database'])(
    'fails when a response in the foreground is made again: %s',
    (fault) => {
      const made = { generation: 'foreground' as const, lost: ['respond:1'] };
      expect(verdict(fault, made)).toEqual([expect.stringContaining('made again')]);
    },
  );

  it('fails when something is taken back though its response was not lost', () => {
    expect(verdict('kill the model', { rewinds: 1 })).toEqual([
      expect.stringContaining('1 rewinds, 0 responses lost'),
    ]);
  });

  it('lets one create of a step be nameless where a fault explains it, and counts it', () => {
    const outcome = outcomeOf('kill the worker', { nameless: [1] });
    expect(broken(outcome, summarize(outcome))).toEqual([]);
    expect(summarize(outcome)).toMatchObject({ creates: 4, expectedCreates: 3, orphans: 1 });
  });

  it('fails when two creates of a step are nameless', () => {
    expect(verdict('kill the worker', { nameless: [1, 1] })).toEqual([
      expect.stringContaining('more than two creates in a step'),
    ]);
  });

  it('fails when a create is nameless after a fault that does not explain it', () => {
    expect(verdict('kill the gateway', { nameless: [0] })).toEqual([
      expect.stringContaining('1 nameless creates'),
    ]);
  });

  it('fails when a create is missing', () => {
    const problems = verdict('kill the model', { unmade: 1 });
    expect(problems).toContain('2 creates, expected 3 and 0 orphans');
  });

  it('fails when a create is of no turn', () => {
    const outcome = outcomeOf('kill the model', {});
    outcome.creates.push({ responseId: 'resp_other', turn: '', round: 0 });
    expect(broken(outcome, summarize(outcome))).toEqual(['4 creates, expected 3 and 0 orphans']);
  });
});

const TURN = 'f0t0x';

interface Happened {
  generation?: Generation;
  /** Steps whose response was lost, and made again. */
  lost?: string[];
  /** Rounds of creates whose id the store does not have. */
  nameless?: number[];
  rewinds?: number;
  /** Creates that the model has not got. */
  unmade?: number;
}

function verdict(fault: string, happened: Happened): string[] {
  const outcome = outcomeOf(fault, happened);
  return broken(outcome, summarize(outcome));
}

function outcomeOf(fault: string, happened: Happened): Outcome {
  const [way, , target] = fault.split(' ') as [Fault['way'], string, Fault['target']];
  const { generation = 'background', lost = [], nameless = [], rewinds = 0 } = happened;
  const completed = ['respond:0', 'respond:1', 'respond:2'];
  const calls = [
    ...completed.map((step) => callOf(step, 'completed')),
    ...lost.map((step) => callOf(step, 'abandoned')),
  ];
  const named = calls.map(({ responseId, step }): Create => {
    return { responseId: String(responseId), turn: TURN, round: Number(step.slice(-1)) };
  });
  const others = nameless.map((round, index) => {
    return { responseId: `resp_nameless_${index}`, turn: TURN, round };
  });
  const creates = [...named.slice(happened.unmade ?? 0), ...others];
  const point: Point = {
    id: TURN,
    generation,
    reading: { events: [], connections: 1, duplicated: 0, missing: 0, gapMs: 0, ended: true },
    exact: true,
    status: 'completed',
    free: true,
    calls,
    rewinds,
  };
  return { struck: [{ fault: { target, way, atEvent: 1 }, points: [point] }], creates };
}

function callOf(step: string, state: ModelCall['state']): ModelCall {
  return {
    step,
    model: 'test-model',
    state,
    estimated: state !== 'completed',
    background: true,
    responseId: `resp_${state}_${step}`,
    requestId: null,
    inputTokens: 1,
    cachedTokens: 0,
    outputTokens: 1,
    reasoningTokens: 0,
  };
}
