import { describe, expect, it } from 'vitest';
import { expectNextTurn, heldAnswer, resultOf, untilShown } from '../support/talk.ts';
import {
  compensationClosedAs,
  compensationOf,
  notesOf,
  turnOf,
  undoingsOf,
} from '../support/compensating.ts';
import type { Point } from '../support/points.ts';
import { chosenRows } from '../support/sample.ts';
import { useWorkers } from '../support/use-workers.ts';
import { useWorld } from '../support/use-world.ts';

interface CompensationRow {
  /** What kind of moment it is. */
  point: 'before' | 'during' | 'after' | 'settled' | 'end' | 'asked' | 'unknown';
  at: Point;
  name: string;
  /** It is cancelled, and that is to undo it; else it fails. */
  cancelled?: true;
  /** What it calls instead. */
  tool?: string;
  /** What was undone, a try each. `pay` comes first: it was called after `reserve`. */
  undoings: string[];
  /** Attempts of both, in that order. */
  attempts: number[];
}

const SAMPLED_ROWS = 4;
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
  {
    point: 'asked',
    at: 'closeTurn: before',
    cancelled: true,
    name: 'before a cancelled turn was sealed that is to be undone: it is undone',
    undoings: [PAY, RESERVE],
    attempts: [1, 1],
  },
  {
    point: 'asked',
    at: 'closeTurn: sealed',
    cancelled: true,
    name: 'right after a cancelled turn was sealed that is to be undone: it is undone once',
    undoings: [PAY, RESERVE],
    attempts: [1, 1],
  },
  {
    point: 'asked',
    at: 'compensation: closed',
    cancelled: true,
    name: 'right after a cancelled turn was undone: that stays so, and is told once',
    undoings: [PAY, RESERVE],
    attempts: [1, 1],
  },
  {
    point: 'unknown',
    at: 'runTool: during',
    tool: 'book',
    name: 'while a tool ran whose unknown effect may be undone: it is undone, once',
    undoings: ['undo book'],
    attempts: [1],
  },
];

const world = useWorld();
const workers = useWorkers(() => world().startWorker());

describe('a compensation whose worker dies', { timeout: 180_000 }, () => {
  async function kill(row: CompensationRow): Promise<void> {
    const victim = await workers.next();
    const reached = victim.hangAt(row.at);
    const { talk, turn } = await begin(row);
    await reached;
    victim.kill('SIGKILL');
    const rescuer = await workers.next();

    const status = row.cancelled ? 'cancelled' : 'failed';
    expect(await resultOf(world(), turn)).toMatchObject({ status });
    const steps = await compensationOf(world(), turn);
    const tools = row.tool ? [row.tool] : ['pay', 'reserve'];
    expect(steps).toMatchObject(
      tools.map((tool, n) => ({
        key: `compensate:call_${tool}`,
        status: 'completed',
        attempts: row.attempts[n],
        error: null,
      })),
    );
    expect(undoingsOf(world(), turn)).toEqual(row.undoings);
    expect(await compensationClosedAs(world(), turn)).toBe('COMPLETED');
    const { effects } = await resultOf(world(), turn);
    expect(new Set(effects.map(({ outcome }) => outcome))).toEqual(new Set(['undone']));
    expect(await notesOf(world(), talk)).toEqual([
      expect.stringContaining('is being undone'),
      expect.stringContaining('was undone'),
    ]);
    await expectNextTurn(world(), talk);
    workers.keep(rescuer);
  }

  async function begin({ cancelled, tool }: CompensationRow) {
    const tools = tool ? [tool] : ['reserve', 'pay'];
    if (!cancelled) return turnOf(world(), tools);
    const begun = await turnOf(world(), tools, heldAnswer('I am about to tell you.'));
    await untilShown(world(), begun.turn);
    void world().turnkeeper.turns.cancel(begun.turn.id, { compensate: true });
    return begun;
  }

  for (const row of chosenRows(ROWS, SAMPLED_ROWS)) it(row.name, () => kill(row));
});
