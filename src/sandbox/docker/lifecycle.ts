import type { Container, ContainerInspectInfo } from 'dockerode';
import { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { SandboxRequest } from '../../contracts/sandbox.ts';
import { containerOptions, OVERHEAD_MS, type ContainerSetup } from './container.ts';
import { statusOf, wordsOf, type Engine } from './engine.ts';
import { imageMissing } from './image.ts';
import { encodeRequest } from '../request.ts';

/** The engine tells when a container ends; one that went away tells nothing, so it is also asked. */
const POLL_MS = 500;
/** A container that is not started by then has lost its creator. */
const STALE_MS = 5_000;

export interface Call {
  engine: Engine;
  setup: ContainerSetup;
  request: SandboxRequest;
  signal: AbortSignal;
}

/** Null when there is one of that name already: another attempt's. */
export async function create({ engine, setup, request }: Call): Promise<Container | null> {
  const options = containerOptions(request, setup);
  try {
    return await engine.ask(() => engine.docker.createContainer(options));
  } catch (error) {
    if (statusOf(error) === 409) return null;
    throw statusOf(error) === 404 ? imageMissing(engine, setup.imageId, wordsOf(error)) : error;
  }
}

/**
 * Starts the container and hands it the request. The stream is to stay open until the container has ended: should this
 * process die first, the stream ends early, and the supervisor knows that no more will come.
 * @returns null when the container was taken away as one that nobody started
 */
export async function start(call: Call, container: Container): Promise<Duplex | null> {
  const { engine, request, setup } = call;
  let input: Duplex | null = null;
  try {
    input = await engine.ask(() => attach(container));
    await engine.ask(() => container.start());
    for (const part of encodeRequest(request, setup.limits, setup.seccomp)) input.write(part);
    input.end();
    return input;
  } catch (error) {
    input?.destroy();
    if (statusOf(error) === 404 || statusOf(error) === 409) return null;
    await remove(engine, container.id).catch(() => undefined);
    throw error;
  }
}

async function attach(container: Container): Promise<Duplex> {
  const input = await container.attach({ stream: true, stdin: true, hijack: true });
  if (!(input instanceof Duplex)) throw new TypeError('dockerode attaches no socket');
  // What goes wrong here shows in how the container ends.
  input.on('error', () => undefined);
  return input;
}

/** The container as it is once it has ended; null when it is gone. One that outlives its time is ended. */
export async function awaitEnd(call: Call, idOrName: string): Promise<ContainerInspectInfo | null> {
  const watching = new AbortController();
  try {
    return await watchToEnd(call, idOrName, watching.signal);
  } finally {
    // A request that goes on would keep a worker from going away for as long as the code runs.
    watching.abort();
  }
}

async function watchToEnd(
  { engine, request, signal }: Call,
  idOrName: string,
  abortSignal: AbortSignal,
): Promise<ContainerInspectInfo | null> {
  const container = engine.docker.getContainer(idOrName);
  const begun = performance.now();
  let told: Promise<true> | null = null;
  for (;;) {
    const info = await unlessGone(engine.ask(() => container.inspect()));
    const status = info?.State.Status ?? '';
    if (info === null || status === 'exited' || status === 'dead') return info;
    const elapsed = performance.now() - begun;
    const unstarted = status === 'created';
    if (unstarted && elapsed > STALE_MS) await removeUnstarted(engine, info.Id);
    if (elapsed > request.timeoutMs + OVERHEAD_MS) await kill(engine, info.Id);
    if (!unstarted) told ??= container.wait({ abortSignal }).then(() => true, never);
    const isTold = await Promise.race([told ?? never(), pause(POLL_MS, false, { signal })]);
    // It is told once: one that is being removed is asked about from time to time.
    if (isTold) told = never();
  }
}

/** Ends and removes a container, if it is there. */
export async function remove({ docker, ask }: Engine, idOrName: string): Promise<void> {
  const container = docker.getContainer(idOrName);
  await unlessGone(ask(() => container.remove({ force: true, v: true })));
}

/** Not by force: should its creator start it just now, it stays. */
async function removeUnstarted({ docker, ask }: Engine, id: string): Promise<void> {
  const container = docker.getContainer(id);
  await unlessGone(ask(() => container.remove({ v: true })));
}

async function kill({ docker, ask }: Engine, id: string): Promise<void> {
  const container = docker.getContainer(id);
  await unlessGone(ask(() => container.kill()));
}

/** Null for a container that is not there (404), or that has ended or is being removed already (409). */
export async function unlessGone<T>(call: Promise<T>): Promise<T | null> {
  try {
    return await call;
  } catch (error) {
    if (statusOf(error) === 404 || statusOf(error) === 409) return null;
    throw error;
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}
