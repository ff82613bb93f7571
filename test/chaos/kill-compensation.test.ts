import { describe, expect, it } from 'vitest';
import { expectNextTurn, resultOf } from '../support/talk.ts';
import {
  compensationClosedAs,
  compensationOf,
  turnOf,
  undoingsOf,
} from '../support/compensating.ts';
import type { Point } from '../support/points.ts';
import { chosenRows } from '../support/sample.ts';
import { useWorkers } from '../support/use-workers.ts';
import { useWorld } from '../support/use-world.ts';

interface CompensationRow {
  /** What kind of moment it is. */
  point: 'before' | 'during' | 'after' | 'settled' | 'end';
  at: Point;
  name: string;
  /** What was undone, a try each. `pay` comes first: it was called after `reserve`. */
  undoings: string[];
  /** Attempts of both, in that order. */
  attempts: [pay: number, reserve: number];
}

const PAY = 'undo pay';
const RESERVE = 'undo reserve';

const ROWS: CompensationRow[] = [
  {
    point: 'before',
    at: 'compensate pay: before',
    name: 'before the last effect was undone: another worker undoes both',
    undoings: [PAY, RESERVE],
    attempts: [2, 1],
  },
  {
    point: 'during',
    at: 'compensate pay: during',
    name: 'while the last effect was undone: it is undone again, with the same key',
    undoings: [PAY, PAY, RESERVE],
    attempts: [2, 1],
  },
  {
    point: 'after',
    at: 'compensate pay: after',
    name: 'after the last effect was undone: it is undone again, with the same key',
    undoings: [PAY, PAY, RESERVE],
    attempts: [2, 1],
  },
  {
    point: 'settled',
    at: 'compensate pay: settled',
    name: 'right after that was stored: it is not undone again',
    undoings: [PAY, RESERVE],
    attempts: [1, 1],
  },
  {
    point: 'before',
    at: 'compensate reserve: before',
    name: 'before the first effect was undone: the last one is left as it is',
    undoings: [PAY, RESERVE],
    attempts: [1, 2],
  },
  {
    point: 'during',
    at: 'compensate reserve: during',
    name: 'while the first effect was undone: it alone is undone again',
    undoings: [PAY, RESERVE, RESERVE],
    attempts: [1, 2],
  },
  {
    point: 'after',
    at: 'compensate reserve: after',
    name: 'after the first effect was undone: it alone is undone again',
    undoings: [PAY, RESERVE, RESERVE],
    attempts: [1, 2],
  },
  {
    point: 'settled',
    at: 'compensate reserve: settled',
    name: 'right after the first effect was stored as undone: nothing is undone again',
    undoings: [PAY, RESERVE],
    attempts: [1, 1],
  },
  {
    point: 'end',
    at: 'compensation: before closing',
    name: 'before the compensation was closed: another worker closes it',
    undoings: [PAY, RESERVE],
    attempts: [1, 1],
  },
  {
    point: 'end',
    at: 'compensation: closed',
    name: 'right after the compensation was closed: it stays closed, and its workflow completes',
    undoings: [PAY, RESERVE],
    attempts: [1, 1],
  },
  {
    point: 'end',
    at: 'closeTurn: sealed',
    name: 'right after the turn was sealed, before its compensation was started: it is started',
    undoings: [PAY, RESERVE],
    attempts: [1, 1],
  },
];

const world = useWorld();
const workers = useWorkers(() => world().startWorker());

describe('a compensation whose worker dies', { timeout: 180_000 }, () => {
  async function kill({ at, undoings, attempts }: CompensationRow): Promise<void> {
    const victim = await workers.next();
    const reached = victim.hangAt(at);
    const { talk, turn } = await turnOf(world(), ['reserve', 'pay']);
    await reached;
    victim.kill('SIGKILL');
    const rescuer = await workers.next();

    expect(await resultOf(world(), turn)).toMatchObject({ status: 'failed' });
    expect(await compensationOf(world(), turn)).toMatchObject([
      { key: 'compensate:call_pay', status: 'completed', attempts: attempts[0], error: null },
      { key: 'compensate:call_reserve', status: 'completed', attempts: attempts[1], error: null },
    ]);
    expect(undoingsOf(world(), turn)).toEqual(undoings);
    expect(await compensationClosedAs(world(), turn)).toBe('COMPLETED');
    await expectNextTurn(world(), talk);
    workers.keep(rescuer);
  }

  for (const row of chosenRows(ROWS, 2)) it(row.name, () => kill(row));
});
