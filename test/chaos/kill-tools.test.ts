import { describe, expect, it, vi } from 'vitest';
import { killer, type KillRow, type SurvivedTurn } from '../support/kill.ts';
import type { Point } from '../support/points.ts';
import { chosenRows } from '../support/sample.ts';
import { answer, callOf, effectsOf, SOON } from '../support/talk.ts';
import { useWorld } from '../support/use-world.ts';

const ANSWER = 'That is settled.';
const SAMPLED_ROWS = 3;

const DONE = { done: true };
const LOOKED_UP = { done: true, reconciled: true };
const UNKNOWN = { error: expect.objectContaining({ type: 'outcome_unknown' }) as unknown };

interface ToolRow {
  name: string;
  point: Point;
  /** `touch` is idempotent, `send` at-most-once, `charge` reconcilable. */
  tool: 'touch' | 'send' | 'charge';
  /** How often it took effect. */
  effects: number;
  /** What the model was told. */
  told: object;
}

const TOOL_ROWS: ToolRow[] = [
  {
    name: 'killed before an idempotent tool ran: it is run',
    point: 'runTool: before',
    tool: 'touch',
    effects: 1,
    told: DONE,
  },
  {
    name: 'killed before an at-most-once tool ran: it is not run, for nobody knows that',
    point: 'runTool: before',
    tool: 'send',
    effects: 0,
    told: UNKNOWN,
  },
  {
    name: 'killed before a reconcilable tool ran: it is looked up, not found and run',
    point: 'runTool: before',
    tool: 'charge',
    effects: 1,
    told: DONE,
  },
  {
    name: 'killed while an idempotent tool ran: it is run again, with the same key',
    point: 'runTool: during',
    tool: 'touch',
    effects: 2,
    told: DONE,
  },
  {
    name: 'killed while an at-most-once tool ran: it is not run again, and the model is told',
    point: 'runTool: during',
    tool: 'send',
    effects: 1,
    told: UNKNOWN,
  },
  {
    name: 'killed while a reconcilable tool ran: it is looked up and found',
    point: 'runTool: during',
    tool: 'charge',
    effects: 1,
    told: LOOKED_UP,
  },
  {
    name: 'killed after an idempotent tool had run: it is run again, with the same key',
    point: 'runTool: after',
    tool: 'touch',
    effects: 2,
    told: DONE,
  },
  {
    name: 'killed after an at-most-once tool had run: it is not run again, and the model is told',
    point: 'runTool: after',
    tool: 'send',
    effects: 1,
    told: UNKNOWN,
  },
  {
    name: 'killed after a reconcilable tool had run: it is looked up and found',
    point: 'runTool: after',
    tool: 'charge',
    effects: 1,
    told: LOOKED_UP,
  },
  {
    name: "killed right after an idempotent tool's output was stored: it is not run again",
    point: 'runTool: settled',
    tool: 'touch',
    effects: 1,
    told: DONE,
  },
  {
    name: "killed right after an at-most-once tool's output was stored: the model gets it",
    point: 'runTool: settled',
    tool: 'send',
    effects: 1,
    told: DONE,
  },
  {
    name: "killed right after a reconcilable tool's output was stored: nothing is looked up",
    point: 'runTool: settled',
    tool: 'charge',
    effects: 1,
    told: DONE,
  },
];

function killRow({ name, point, tool, effects, told }: ToolRow): KillRow {
  return {
    name,
    point,
    assistant: { tools: [tool] },
    script: [callOf(tool), answer(ANSWER)],
    answer: ANSWER,
    calls: ['completed', 'completed'],
    check(survived) {
      const key = `${survived.turn.id}:tool:call_${tool}`;
      expect(survived.effects).toEqual(Array.from({ length: effects }, () => ({ tool, key })));
      expect(toldTo(survived)).toEqual([told]);
      expect(survived.steps.find((step) => step.kind === 'tool')?.tool).toMatchObject({
        outcome: told === UNKNOWN ? 'unknown' : 'succeeded',
      });
    },
  };
}

/** Outputs of calls, as the model's second request has them. */
function toldTo({ creates }: SurvivedTurn): unknown[] {
  const { input } = creates[1]?.body as { input: { type: string; output: string }[] };
  const outputs = input.filter(({ type }) => type === 'function_call_output');
  return outputs.map(({ output }) => JSON.parse(output) as unknown);
}

/** Three calls in one round; all have taken effect and none has said so when the worker dies. */
const PARALLEL: KillRow = {
  name: 'killed while three tools ran: each goes on as its policy says, and outputs keep their order',
  point: 'runTool: during',
  assistant: { tools: ['touch', 'send', 'charge'] },
  script: [callOf('send', 'touch', 'charge'), answer(ANSWER)],
  answer: ANSWER,
  calls: ['completed', 'completed'],
  async ready(world, turn) {
    await vi.waitFor(() => expect(effectsOf(world, turn)).toHaveLength(3), SOON);
  },
  check(survived) {
    const effects = survived.effects.map(({ tool }) => tool).sort();
    expect(effects).toEqual(['charge', 'send', 'touch', 'touch']);
    expect(toldTo(survived)).toEqual([UNKNOWN, DONE, LOOKED_UP]);
  },
};

const ROWS = [...TOOL_ROWS.map(killRow), PARALLEL];

const world = useWorld();

describe('a turn whose worker dies at a tool call', { timeout: 180_000 }, () => {
  const kill = killer(world);
  for (const row of chosenRows(ROWS, SAMPLED_ROWS)) it(row.name, () => kill(row));
});
