import type { ContainerInspectInfo } from 'dockerode';
import { setTimeout as pause } from 'node:timers/promises';
import { SandboxUnavailable, type SandboxResult } from '../../contracts/sandbox.ts';
import { AttemptOver } from '../../contracts/tools.ts';
import { containerName } from './container.ts';
import { awaitEnd, create, remove, start, unlessGone, type Call } from './lifecycle.ts';
import { readOutput } from './log.ts';
import { decodeResult, maxResultBytes, resultWithoutWord } from '../result.ts';

/** The supervisor's exit code when no whole request reached it. */
const NEVER_STARTED = 3;
/** An engine that restarts loses a container; code that takes its own down every time must not be tried for ever. */
const MAX_LOSSES = 3;
/** Containers that one call creates or meets. */
const MAX_TRIES = 20;
const RETRY_MS = 250;

/** What a container came to. `lost`: it was ended from outside, and nobody knows how far the code got. */
type Outcome = SandboxResult | 'gone' | 'never started' | 'lost';

/** Runs the request in a container of its own, or collects from the one that an earlier attempt left. */
export async function runInContainer(call: Call): Promise<SandboxResult> {
  try {
    return await runUntilKnown(call);
  } catch (error) {
    const { signal, engine } = call;
    if (!signal.aborted) throw error;
    // Where nobody comes for it, or the engine is away just now, the reaper finds it.
    const isWanted = signal.reason instanceof AttemptOver;
    if (!isWanted) await remove(engine, nameOf(call)).catch(() => undefined);
    throw signal.reason;
  }
}

async function runUntilKnown(call: Call): Promise<SandboxResult> {
  let losses = 0;
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    call.signal.throwIfAborted();
    const outcome = await runOnce(call);
    if (typeof outcome === 'object') return outcome;
    if (outcome === 'lost') losses += 1;
    if (losses === MAX_LOSSES) return resultWithoutWord(null, 0);
    await pause(RETRY_MS, undefined, { signal: call.signal });
  }
  const message = `The Docker engine at ${call.engine.host} starts no container that gets its request.`;
  throw new SandboxUnavailable('engine_lost', message);
}

async function runOnce(call: Call): Promise<Outcome> {
  const created = await create(call);
  const input = created && (await start(call, created));
  try {
    const ended = await awaitEnd(call, created?.id ?? nameOf(call));
    if (ended === null) return 'gone';
    const outcome = await outcomeOf(call, ended);
    if (typeof outcome !== 'object') await remove(call.engine, ended.Id);
    return outcome;
  } finally {
    input?.destroy();
  }
}

async function outcomeOf(call: Call, { Id, State }: ContainerInspectInfo): Promise<Outcome> {
  const { engine, request, setup } = call;
  if (State.ExitCode === NEVER_STARTED) return 'never started';
  const container = engine.docker.getContainer(Id);
  const maxBytes = maxResultBytes(setup.limits);
  const written = await unlessGone(engine.ask(() => readOutput(container, maxBytes)));
  if (written === null) return 'gone';
  const result = await decodeResult(written, request, setup.limits);
  const outOfMemory = State.OOMKilled && (result?.exitCode ?? null) === null;
  if (result) return outOfMemory ? { ...result, limit: result.limit ?? 'memory' } : result;
  const durationMs = Date.parse(State.FinishedAt) - Date.parse(State.StartedAt);
  if (outOfMemory) return resultWithoutWord('memory', durationMs);
  return durationMs >= request.timeoutMs ? resultWithoutWord('time', durationMs) : 'lost';
}

function nameOf({ request, setup }: Call): string {
  return containerName(request, setup.limits);
}
