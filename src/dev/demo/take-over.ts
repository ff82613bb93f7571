import { setTimeout as delay } from 'node:timers/promises';
import type { Stack } from './stack.ts';
import type { Terminal } from '../services/terminal.ts';
import type { TurnView } from './turn-view.ts';

/** Deltas that must have been seen in the turn's stream before its worker is killed. */
const DELTAS_BEFORE_KILL = 8;
/** What the worker had written when it died reaches the stream's readers by then. */
const SETTLE_MS = 200;

/** Kills the worker of a turn while it answers, and starts another. */
export interface TakeOver {
  /** To be called after each event. */
  look(): void;
  /** Waits for the other worker, where there is one; answers whether a worker was killed. */
  done(): Promise<boolean>;
}

export function planTakeOver(stack: Stack, terminal: Terminal, view: TurnView): TakeOver {
  let taking: Promise<void> | null = null;
  return {
    look() {
      if (taking !== null || view.deltas() < DELTAS_BEFORE_KILL) return;
      taking = takeOver(stack, terminal, view);
      // `done` throws it.
      taking.catch(() => undefined);
    },
    async done() {
      await taking;
      return taking !== null;
    },
  };
}

async function takeOver(stack: Stack, terminal: Terminal, view: TurnView): Promise<void> {
  const { style } = terminal;
  const killed = stack.worker;
  await killed.crash();
  await delay(SETTLE_MS);
  const where = `${view.deltas()} deltas into the answer`;
  terminal.line(
    `   ${style.red('✗')} worker ${killed.number} (process ${killed.pid}) was killed with SIGKILL, ${where}`,
  );
  terminal.status('another worker is starting; Temporal waits 5 s for a heartbeat of the dead one');
  stack.worker = await stack.workers.start();
  const { number, pid } = stack.worker;
  if (view.rewinds() > 0) return;
  terminal.line(`   ${style.green('✓')} worker ${number} (process ${pid}) is up`);
  terminal.status(`Temporal gives worker ${killed.number} up when its heartbeat is 5 s late`);
}
