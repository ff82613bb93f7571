import { expect, it, vi } from 'vitest';
import type { StoppableCall } from '../../src/contracts/store.ts';
import { stopCallsChore } from '../../src/recovery/stopped-calls.ts';

const callOf = (callId: string): StoppableCall => ({
  tenant: 'default',
  turnId: 'turn-1',
  callId,
  responseId: `resp_${callId}`,
  model: 'small',
});

it('has each response stopped that nobody waits for, and counts those whose provider was told', async () => {
  const calls = ['a', 'b', 'c'].map(callOf);
  const stop = vi.fn(async ({ callId }: StoppableCall) => callId !== 'b');
  const chore = stopCallsChore({ unstoppedCalls: async () => calls }, stop);
  expect(await chore.run()).toBe(2);
  expect(stop.mock.calls.map(([call]) => call)).toEqual(calls);
});
