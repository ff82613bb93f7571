import { expect, it, vi } from 'vitest';
import type { Store } from '../../src/contracts/store.ts';
import { foldingChore } from '../../src/recovery/fold-events.ts';

function choreOver(...batches: number[]) {
  const foldEvents = vi.fn<Store['sweep']['foldEvents']>();
  foldEvents.mockResolvedValue(20);
  for (const turns of batches) foldEvents.mockResolvedValueOnce(turns);
  const chore = foldingChore({ sweep: { foldEvents } } as unknown as Store, 5_000);
  return { chore, foldEvents };
}

it('folding goes on until a batch is not full, and tells how many turns there were', async () => {
  const { chore, foldEvents } = choreOver(20, 20, 3);
  expect(await chore.run()).toBe(43);
  expect(foldEvents.mock.calls).toEqual([
    [5_000, 20],
    [5_000, 20],
    [5_000, 20],
  ]);
});

it('folding leaves the rest of a long list to the next time', async () => {
  const { chore, foldEvents } = choreOver();
  expect(await chore.run()).toBe(1_000);
  expect(foldEvents).toHaveBeenCalledTimes(50);
});
