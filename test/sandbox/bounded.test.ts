import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Sandbox, SandboxRequest, SandboxResult } from '../../src/contracts/sandbox.ts';
import { boundedSandbox } from '../../src/sandbox/bounded.ts';

const WAIT_MS = 60_000;
const RESULT = { stdout: 'done' } as SandboxResult;

/** A sandbox whose runs end when they are told to. */
function heldSandbox() {
  const ends = new Map<string, (error?: Error) => void>();
  const started: string[] = [];
  const run: Sandbox['run'] = ({ key }) => {
    started.push(key);
    return new Promise((resolve, reject) => {
      ends.set(key, (error) => (error ? reject(error) : resolve(RESULT)));
    });
  };
  return { started, end: (key: string, error?: Error) => ends.get(key)?.(error), run };
}

function setUp(concurrency: number) {
  const held = heldSandbox();
  const bounded = boundedSandbox(held as unknown as Sandbox, concurrency, WAIT_MS);
  const start = (key: string, signal = new AbortController().signal) => {
    const running = bounded.run({ key } as SandboxRequest, { signal });
    running.catch(() => undefined);
    return running;
  };
  return { ...held, start };
}

describe('a sandbox with so many places', () => {
  afterEach(() => void vi.useRealTimers());

  it('runs no more at a time; others wait and come in order', async () => {
    const { start, started, end } = setUp(2);
    const runs = ['a', 'b', 'c', 'd'].map((key) => start(key));
    await new Promise(setImmediate);
    expect(started).toEqual(['a', 'b']);
    end('b');
    expect(await runs[1]).toBe(RESULT);
    await vi.waitFor(() => expect(started).toEqual(['a', 'b', 'c']));
    end('a', new Error('lost'));
    await expect(runs[0]).rejects.toThrow('lost');
    await vi.waitFor(() => expect(started).toEqual(['a', 'b', 'c', 'd']));
    end('c');
    end('d');
    expect(await Promise.all([runs[2], runs[3]])).toEqual([RESULT, RESULT]);
  });

  it('lets one that is no longer wanted stop waiting, and gives its place to the next', async () => {
    const { start, started, end } = setUp(1);
    const first = start('a');
    const stop = new AbortController();
    const second = start('b', stop.signal);
    const third = start('c');
    await new Promise(setImmediate);
    stop.abort(new Error('cancelled'));
    await expect(second).rejects.toThrow('cancelled');
    await expect(start('d', stop.signal)).rejects.toThrow('cancelled');
    end('a');
    await first;
    await vi.waitFor(() => expect(started).toEqual(['a', 'c']));
    end('c');
    await third;
  });

  it('has those that waited too long tried again, perhaps by another worker', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { start, started, end } = setUp(1);
    const first = start('a');
    const second = start('b');
    const busy = { name: 'SandboxUnavailable', reason: 'busy', retryable: true };
    const refused = expect(second).rejects.toMatchObject(busy);
    await vi.advanceTimersByTimeAsync(WAIT_MS);
    await refused;
    end('a');
    await first;
    expect(started).toEqual(['a']);
  });
});
