import { describe, expect, it } from 'vitest';
import type { AssistantDefinition } from '../../src/contracts/assistant.ts';
import type { ScriptStep } from '../../src/dev/offline-model/script.ts';
import { closedHistory, costOf, type HistoryCost } from '../support/histories.ts';
import { endOf, runTurn, startTurn, useWorld } from '../support/turns.ts';
import { asking, untilAsleep } from '../support/waiting-turns.ts';

const world = useWorld();

const BYTES_TOLERANCE = 64;
const MAX_BYTES_OF_A_PLAIN_TURN = 4_096;

async function turnCost(
  script: ScriptStep[],
  assistant: Partial<AssistantDefinition> = {},
): Promise<HistoryCost> {
  const { id, status } = await runTurn(world.current, { script, assistant });
  expect(status).toBe('completed');
  return costOf(await closedHistory(world.current, id));
}

function expectBytes(cost: HistoryCost, bytes: number): void {
  expect(Math.abs(cost.bytes - bytes), `${cost.bytes} bytes`).toBeLessThanOrEqual(BYTES_TOLERANCE);
}

const answer = (text = 'Hi.'): ScriptStep => ({ kind: 'answer', text });
const calls = (count: number): ScriptStep => ({
  kind: 'calls',
  calls: Array.from({ length: count }, (_, n) => ({
    name: 'add',
    arguments: { a: n, b: 1 },
    callId: `call_${n}`,
  })),
});

describe('what a turn costs in Temporal', () => {
  it('takes 2 workflow tasks and 12 events, under 4 KiB, for a plain turn', async () => {
    const cost = await turnCost([answer()]);
    expect(cost).toMatchObject({ workflowTasks: 2, events: 12 });
    expect(cost.bytes).toBeLessThan(MAX_BYTES_OF_A_PLAIN_TURN);
    expectBytes(cost, 2_998);
  });

  it('takes 3 workflow tasks and 18 events with a retrieval', async () => {
    const cost = await turnCost([answer()], { knowledge: { bases: ['handbook'] } });
    expect(cost).toMatchObject({ workflowTasks: 3, events: 18 });
    expectBytes(cost, 3_966);
  });

  it('takes 4 workflow tasks and 24 events with a round of one tool', async () => {
    const cost = await turnCost([calls(1), answer()], { tools: ['add'] });
    expect(cost).toMatchObject({ workflowTasks: 4, events: 24 });
    expectBytes(cost, 5_172);
  });

  it('takes 5 workflow tasks and 33 events with a round of one call that is approved', async () => {
    const script = [asking({ transfer: {} }), answer()];
    const { id, conversationId } = await startTurn(world.current, {
      script,
      assistant: { tools: ['transfer'] },
    });
    await untilAsleep(world.current, { id });
    const { turns } = world.current.turnkeeper;
    await turns.submit(id, { approvals: [{ callId: 'call_transfer', approve: true }] });
    const { status } = await endOf(world.current, { id, conversationId });
    expect(status).toBe('completed');
    const cost = costOf(await closedHistory(world.current, id));
    expect(cost).toMatchObject({ workflowTasks: 5, events: 33 });
    expectBytes(cost, 6_871);
  });

  it('costs the same for arguments and output of a tool of ten characters and of a megabyte', async () => {
    for (const length of [10, 1_048_576]) {
      const label = 'x'.repeat(length);
      const told = { name: 'wait_and_tell', arguments: { ms: 0, label }, callId: 'call_0' };
      const script: ScriptStep[] = [{ kind: 'calls', calls: [told] }, answer()];
      const cost = await turnCost(script, { tools: ['wait_and_tell'] });
      expect(cost).toMatchObject({ workflowTasks: 4, events: 24 });
      expectBytes(cost, 5_222);
    }
  });

  it('takes 3 events for each further tool of a round and for each further workflow task', async () => {
    const { events, workflowTasks } = await turnCost([calls(4), answer()], { tools: ['add'] });
    expect(workflowTasks).toBeGreaterThanOrEqual(4);
    expect(workflowTasks).toBeLessThanOrEqual(7);
    expect(events).toBe(24 + 9 + 3 * (workflowTasks - 4));
  });

  it.each(['foreground', 'background'] as const)(
    'costs the same for an answer of ten tokens and of ten thousand, in the %s',
    async (generation) => {
      for (const words of [10, 10_000]) {
        const cost = await turnCost([answer('word '.repeat(words))], { generation });
        expect(cost).toMatchObject({ workflowTasks: 2, events: 12 });
        expectBytes(cost, 2_998);
      }
    },
  );
});
