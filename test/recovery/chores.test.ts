import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { JsonObject } from '../../src/contracts/json.ts';
import { doChore, type Chore } from '../../src/recovery/chores.ts';

const run = vi.fn<Chore['run']>();
const logs: [string, JsonObject | undefined][] = [];
const log = (message: string, fields?: JsonObject) => void logs.push([message, fields]);
const logger = { info: log, warn: log, error: log };

beforeEach(() => {
  run.mockReset().mockResolvedValue(0);
  logs.length = 0;
});

function startChore() {
  const stopping = new AbortController();
  const ended = doChore(stopping.signal, { name: 'tidy', run }, { intervalMs: 5, logger });
  return {
    stop: async () => {
      stopping.abort();
      await ended;
    },
  };
}

const untilDone = (times: number) =>
  vi.waitFor(() => expect(run.mock.calls.length).toBeGreaterThanOrEqual(times));

describe('a chore of a worker', () => {
  it('is done again and again until it is stopped, and told only when there was something to do', async () => {
    run.mockResolvedValueOnce(0).mockResolvedValueOnce(2);
    const chore = startChore();
    await untilDone(4);
    await chore.stop();
    expect(logs).toEqual([['chore', { chore: 'tidy', count: 2 }]]);
  });

  it('that fails is tried again, and the log is told once', async () => {
    for (let n = 0; n < 3; n++) run.mockRejectedValueOnce(new Error('the engine is away'));
    const chore = startChore();
    await untilDone(5);
    await chore.stop();
    expect(logs).toEqual([
      ['chore failed', { chore: 'tidy', error: 'the engine is away' }],
      ['chore done again', { chore: 'tidy' }],
    ]);
  });
});
