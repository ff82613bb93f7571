import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { startChild, type OwnChild } from '../../src/dev/child.ts';
import { runnable } from './compile.ts';
import type { Point } from './points.ts';
import type { Refusal } from './refusals.ts';

/** A worker process of a test's own. */
export interface TestWorker extends OwnChild {
  /** Resolves when the worker has reached the point it was started to hang at. */
  reached: Promise<void>;
  /**
   * From now on it stays at this point as well, until it is killed or let go. Resolves when it has come there; rejects
   * when it ends before.
   */
  hangAt(point: Point): Promise<void>;
  /** Lets it pass all points, the one where it is included; also while it is stopped, for when it goes on. */
  letGo(): void;
  /** Writes for a turn that the store has refused it. */
  refusals(turnId: string): Refusal['refused'][];
}

export interface TestWorkerOptions {
  env: Record<string, string>;
  /** A path of its own. */
  hangFile: string;
  hangAt?: Point;
}

interface Arrival {
  point: Point;
  resolve: () => void;
  reject: (error: Error) => void;
}

export async function startTestWorker(options: TestWorkerOptions): Promise<TestWorker> {
  const { env, hangFile, hangAt } = options;
  const points = new Set<Point>();
  const arrivals: Arrival[] = [];
  const refusals: Refusal[] = [];
  const write = () => writeFileSync(hangFile, [...points].join('\n'));
  const arm = (point: Point): Promise<void> => {
    points.add(point);
    write();
    const arrival = new Promise<void>((resolve, reject) => {
      arrivals.push({ point, resolve, reject });
    });
    // Whoever waits for it learns of an early end; nobody has to wait.
    arrival.catch(() => undefined);
    return arrival;
  };
  const reached = hangAt ? arm(hangAt) : Promise.resolve();
  const script = runnable(new URL('./worker-main.ts', import.meta.url));
  const child = await startChild({
    name: 'The test worker',
    script,
    env: { ...env, TEST_HANG_FILE: hangFile },
  });
  createInterface({ input: child.stdout }).on('line', (text) => {
    // Temporal's core writes its warnings here, too.
    if (!text.startsWith('{')) return;
    const line = JSON.parse(text) as { at: Point } | Refusal;
    if ('refused' in line) refusals.push(line);
    else for (const { point, resolve } of arrivals) if (point === line.at) resolve();
  });
  void child.exited.then(() => {
    const error = new Error(`The worker ended too early. It wrote:\n${child.output()}`);
    for (const arrival of arrivals) arrival.reject(error);
  });
  return {
    ...child,
    reached,
    hangAt: arm,
    letGo() {
      points.clear();
      write();
    },
    refusals: (turn) =>
      refusals.filter(({ turnId }) => turnId === turn).map(({ refused }) => refused),
  };
}
