import { setTimeout as delay } from 'node:timers/promises';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import { killTree, signalAll, stopTree } from './process-tree.ts';

/** A process that can be taken away. */
export interface Part {
  /** SIGKILL for it and all that it has started; resolves when a new process serves in its place. */
  kill(): Promise<void>;
  /** SIGSTOP for all of them, and SIGCONT after so many milliseconds. */
  pause(ms: number): Promise<void>;
  /** Breaks every connection to it. */
  cut(): void;
  stop(): Promise<void>;
}

/** A part that others connect to, always at the same address. */
export interface Server extends Part {
  /** Of the way that all others take to it. */
  proxy: TcpProxy;
}

/** One process of a part. */
export interface Running {
  pid: number;
  /** `host:port`; null when nobody connects to it. */
  address: string | null;
  stop(): Promise<void>;
}

/** Longer than a worker's heartbeats and connecting to the database (5 s), and than idle transactions (10 s). */
export const PAUSE_MS = 12_000;
const RESTART_MS = 100;
const RESTARTS = 50;

export async function startPart(start: () => Promise<Running>): Promise<Part> {
  return partOf(await start(), start, null);
}

export async function startServer(start: () => Promise<Running>): Promise<Server> {
  const running = await start();
  const proxy = await startTcpProxy(running.address ?? '');
  return { ...partOf(running, start, proxy), proxy };
}

function partOf(first: Running, start: () => Promise<Running>, proxy: TcpProxy | null): Part {
  let running = first;
  return {
    async kill() {
      await killTree(running.pid);
      await running.stop();
      running = await persistently(start);
      if (running.address !== null) proxy?.retarget(running.address);
    },
    async pause(ms) {
      const stopped = await stopTree(running.pid);
      await delay(ms);
      signalAll(stopped, 'SIGCONT');
    },
    cut() {
      proxy?.cut();
      proxy?.restore();
    },
    async stop() {
      await running.stop();
      await proxy?.stop();
    },
  };
}

/** What a killed process left, such as its shared memory, may be in the way for a moment. */
async function persistently(start: () => Promise<Running>): Promise<Running> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start();
    } catch (error) {
      if (attempt === RESTARTS) throw error;
      await delay(RESTART_MS);
    }
  }
}
