import { describe, expect, it } from 'vitest';
import type { Step } from '../../../src/contracts/store.ts';
import type { ToolOutcome } from '../../../src/contracts/turn.ts';
import type { Entry } from './counters.ts';
import type { Fault } from './faults.ts';
import { broken, summarize, type Outcome } from './run.ts';
import { effectOf, TOOLS, type Tool } from './tools.ts';
import type { Point } from './turn.ts';

const ID = 'f0t0x';

interface Happened {
  fault?: string;
  fails?: boolean;
  point?: Partial<Point>;
  outcomes?: Partial<Record<Tool['name'], ToolOutcome>>;
  /** Seconds after its calls were begun; they are settled after two. */
  struckAfter?: number;
  /** Requests on top of one for each call, and one for each undoing. */
  more?: Entry[];
  /** Tools whose requests have not come. */
  without?: Tool['name'][];
}

describe('a run of the effects matrix', () => {
  it.each([false, true])('is whole when each call took effect once (fails: %s)', (fails) => {
    expect(problems({ fails })).toEqual([]);
    expect(summarize(outcomeOf({ fails }))).toEqual({
      ...{ points: 1, kills: 1, lost: 0, stuck: 0, effects: 5, doubled: 0, unknown: 0 },
      ...{ compensations: fails ? 2 : 0, doubleCompensations: 0 },
    });
  });

  it('does not mind requests that come again with the same key, but for what may start once', () => {
    expect(problems({ more: [entryOf('touch'), entryOf('charge')] })).toEqual([]);
    expect(problems({ fails: true, more: [entryOf('pay', 'undo')] })).toEqual([]);
    expect(problems({ more: [entryOf('pay')] })).toEqual([
      expect.stringContaining('pay was started 2 times'),
    ]);
  });

  it('fails when an effect came under two keys', () => {
    const more = [{ ...entryOf('touch'), key: 'other' }];
    expect(summarize(outcomeOf({ more }))).toMatchObject({ effects: 6, doubled: 1 });
    expect(problems({ more })).toEqual([
      'doubled: 1',
      expect.stringContaining('touch has 2 effects'),
    ]);
  });

  it('fails when something was undone twice, or not at all, or for no reason', () => {
    const twice = [{ ...entryOf('reserve', 'undo'), key: 'other' }];
    expect(problems({ fails: true, more: twice })).toEqual([
      'doubleCompensations: 1',
      expect.stringContaining('reserve was undone 2 times, expected 1'),
    ]);
    expect(problems({ more: [entryOf('pay', 'undo')] })).toEqual([
      expect.stringContaining('pay was undone 1 times, expected 0'),
    ]);
    const unknown = { fails: true, outcomes: { pay: 'unknown' } } as const;
    expect(problems(unknown)).toEqual([expect.stringContaining('pay was undone 1 times')]);
  });

  it('lets what may start once be unknown, whether it took effect or not', () => {
    const unknown = { outcomes: { pay: 'unknown' } } as const;
    expect(summarize(outcomeOf(unknown)).unknown).toBe(1);
    expect(problems(unknown)).toEqual([]);
    expect(problems({ ...unknown, without: ['pay'] })).toEqual([]);
  });

  it('fails when another call is unknown, or when no fault explains it', () => {
    expect(problems({ outcomes: { charge: 'unknown' } })).toEqual([
      expect.stringContaining('charge is unknown'),
    ]);
    expect(problems({ outcomes: { pay: 'unknown' }, fault: 'kill the gateway' })).toEqual([
      expect.stringContaining('which this fault does not explain'),
    ]);
  });

  it.each([-1, 3])(
    'fails when an unknown call was not under way at the fault (%s s)',
    (seconds) => {
      expect(problems({ outcomes: { pay: 'unknown' }, struckAfter: seconds })).toEqual([
        expect.stringContaining('which this fault does not explain'),
      ]);
    },
  );

  it('fails when a step is open', () => {
    const open = { ...stepOf('touch', 'succeeded'), kind: 'retrieve', status: 'open' } as const;
    const steps = [open, ...TOOLS.map(({ name }) => stepOf(name, 'succeeded'))];
    expect(problems({ point: { steps } })).toEqual([
      expect.stringContaining('a step of it is open'),
    ]);
  });

  it('fails when a call that succeeded has no effect', () => {
    expect(problems({ without: ['withdraw'] })).toEqual([
      expect.stringContaining('withdraw has no effect'),
    ]);
  });

  it('fails when a turn is lost or stuck', () => {
    expect(problems({ point: { status: 'expired' } })).toEqual([
      'lost: 1',
      expect.stringContaining('it is expired, not completed'),
    ]);
    expect(problems({ point: { free: false } })).toContain('stuck: 1');
    expect(problems({ fails: true, point: { ended: false } })).toContain('stuck: 1');
  });
});

function problems(happened: Happened): string[] {
  const outcome = outcomeOf(happened);
  return broken(outcome, summarize(outcome));
}

function outcomeOf(happened: Happened): Outcome {
  const { fault = 'kill the worker', fails = false, more = [], without = [] } = happened;
  const struckAt = new Date((happened.struckAfter ?? 1) * 1_000);
  const [way, , target] = fault.split(' ') as [Fault['way'], string, Fault['target']];
  const held = { id: ID, boundary: 'runTool: during', fails } as const;
  const steps = TOOLS.map(({ name }) => stepOf(name, happened.outcomes?.[name] ?? 'succeeded'));
  const status = fails ? 'failed' : 'completed';
  const point: Point = { ...held, status, ended: true, free: true, steps, ...happened.point };
  const names = TOOLS.map(({ name }) => name).filter((name) => !without.includes(name));
  const undone = TOOLS.filter((tool) => fails && tool.undone);
  const entries = [
    ...names.map((name) => entryOf(name)),
    ...undone.map(({ name }) => entryOf(name, 'undo')),
    ...more,
  ];
  return {
    struck: [{ fault: { target, way, turns: [held] }, struckAt, points: [point] }],
    entries,
  };
}

function entryOf(name: Tool['name'], kind: Entry['kind'] = 'run'): Entry {
  const tool = TOOLS.find((each) => each.name === name) ?? TOOLS[0];
  return { effect: effectOf(ID, tool), kind, key: `${kind} ${name}` };
}

function stepOf(name: Tool['name'], outcome: ToolOutcome): Step {
  return {
    key: `tool:call_${name}`,
    kind: 'tool',
    status: 'completed',
    attempts: 1,
    model: null,
    tool: { callId: `call_${name}`, name, policy: null, outcome },
    error: null,
    repairs: null,
    startedAt: new Date(0),
    settledAt: new Date(2_000),
  };
}
