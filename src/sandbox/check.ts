import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Sandbox, SandboxResult } from '../contracts/sandbox.ts';
import type { Attempt, Bait } from './check/attempt.ts';
import { LIMIT_ATTEMPTS } from './check/limits.ts';
import { WALL_ATTEMPTS } from './check/walls.ts';

const ATTEMPTS = [...LIMIT_ATTEMPTS, ...WALL_ATTEMPTS];

export interface CheckedLimit {
  /** What was to be kept: `memory`, `network`. */
  limit: string;
  /** What was done to break it. */
  tried: string;
  verdict: 'held' | 'broken' | 'not available';
  /** What broke, or why it could not be tried; empty when it held. */
  detail: string;
}

/** Tries to break each limit, one after the other. Rejects with `SandboxUnavailable` when the back end goes away. */
export async function* checkSandbox(sandbox: Sandbox): AsyncGenerator<CheckedLimit> {
  const bait = await layBait();
  try {
    for (const attempt of ATTEMPTS) yield await tryToBreak(sandbox, attempt, bait);
  } finally {
    await bait.remove();
  }
}

async function tryToBreak(sandbox: Sandbox, attempt: Attempt, bait: Bait): Promise<CheckedLimit> {
  const { limit, tried } = attempt;
  const cannot = attempt.cannot?.(sandbox.limits) ?? null;
  if (cannot !== null) return { limit, tried, verdict: 'not available', detail: cannot };
  const result = await run(sandbox, attempt, bait);
  const broken = attempt.broken(result, sandbox.limits, bait);
  return { limit, tried, verdict: broken === null ? 'held' : 'broken', detail: broken ?? '' };
}

async function run(sandbox: Sandbox, attempt: Attempt, bait: Bait): Promise<SandboxResult> {
  const { language, timeoutMs = 20_000 } = attempt;
  const key = `check-${randomUUID()}`;
  const { signal } = new AbortController();
  const code = attempt.code(sandbox.limits, bait);
  try {
    return await sandbox.run({ key, language, code, files: [], timeoutMs }, { signal });
  } finally {
    await sandbox.discard(key);
  }
}

/** What must not be reached from inside: a file with a secret, and a port of this host's loopback. */
async function layBait(): Promise<Bait & { remove(): Promise<void> }> {
  const secret = randomUUID();
  const folder = await mkdtemp(join(tmpdir(), 'turnkeeper-check-'));
  const file = join(folder, 'secret');
  await writeFile(file, secret);
  // So that nothing but the sandbox keeps it from being read.
  await chmod(folder, 0o755);
  let reached = false;
  const server = createServer((socket) => {
    reached = true;
    socket.destroy();
  });
  const port = await listen(server);
  return {
    secret,
    file,
    port,
    reached: () => reached,
    async remove() {
      server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
