import { afterEach } from 'vitest';
import type { TestWorker } from './test-worker.ts';

export interface Workers<Worker extends TestWorker> {
  /** The worker that the test before has kept, or a new one. */
  next(): Promise<Worker>;
  /** At the end of a test: this one is well and idle, and the next test may have it. All others are killed. */
  keep(worker: Worker): void;
}

/** Workers for the tests of one file. Starting one takes seconds: a test that ended well hands one on. */
export function useWorkers<Worker extends TestWorker>(
  start: () => Promise<Worker>,
): Workers<Worker> {
  const workers = new Set<Worker>();
  let kept: Worker | undefined;
  afterEach(async () => {
    const others = [...workers].filter((worker) => worker !== kept);
    for (const worker of others) {
      worker.kill('SIGKILL');
      workers.delete(worker);
    }
    await Promise.all(others.map((worker) => worker.exited));
  });
  return {
    async next() {
      const worker = kept ?? (await start());
      kept = undefined;
      workers.add(worker);
      return worker;
    },
    keep(worker) {
      kept = worker;
    },
  };
}
