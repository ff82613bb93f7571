import { SandboxUnavailable } from '../../contracts/sandbox.ts';
import type { SandboxLimits, SandboxRequest, SandboxResult } from '../../contracts/sandbox.ts';
import { encodeRequest } from '../request.ts';
import { decodeResult, maxResultBytes, resultWithoutWord } from '../result.ts';
import { createGroup, type Group } from './cgroups.ts';
import type { Hierarchy } from './hierarchy.ts';
import { startSandbox, type SandboxProcess, type Setup } from './process.ts';

export interface Runner {
  setup: Setup;
  hierarchy: Hierarchy;
  limits: SandboxLimits;
}

/** Beside the code's own time, which the supervisor keeps: to start, to receive the files, to hand out the artifacts. */
const OVERHEAD_MS = 30_000;
/** Bubblewrap itself, which watches from outside, is in the group too. */
const WATCHING = 1;

/**
 * Runs code in a sandbox of its own; when this settles, nothing of it is left but what the kernel holds on to. Rejects with the signal's reason.
 * @throws SandboxUnavailable `engine_lost`
 */
export async function runOnce(
  { setup, hierarchy, limits }: Runner,
  request: SandboxRequest,
  signal: AbortSignal,
): Promise<SandboxResult> {
  const pids = limits.pids + WATCHING;
  const group = await createGroup(hierarchy, { ...limits, pids }).catch(giveUp);
  try {
    const maxBytes = maxResultBytes(limits);
    const sandbox = await startSandbox(setup, group.entrances, maxBytes).catch(giveUp);
    const result = await resultOf({ sandbox, group, request, limits, signal });
    signal.throwIfAborted();
    return result;
  } finally {
    // What hangs in the kernel is left to a reaper; the result is what it is.
    await group.remove().catch(() => undefined);
  }
}

interface Run {
  sandbox: SandboxProcess;
  group: Group;
  request: SandboxRequest;
  limits: SandboxLimits;
  signal: AbortSignal;
}

async function resultOf({ sandbox, group, request, limits, signal }: Run): Promise<SandboxResult> {
  const started = Date.now();
  const overtime = AbortSignal.timeout(request.timeoutMs + OVERHEAD_MS);
  const stop = AbortSignal.any([signal, overtime]);
  const kill = () => {
    sandbox.kill();
    // Killed in its first moments, bubblewrap leaves a child that waits for it for ever.
    void group.kill().catch(() => undefined);
  };
  stop.addEventListener('abort', kill);
  if (stop.aborted) kill();
  for (const part of encodeRequest(request, limits)) sandbox.input.write(part);
  sandbox.input.end();
  const { written, complaint } = await sandbox.ended;
  const outOfMemory = await group.ranOutOfMemory();
  const result = written && (await decodeResult(written, request, limits));
  if (result) return outOfMemory ? withMemoryLimit(result) : result;
  if (!stop.aborted && !outOfMemory && hasNotBegun(complaint)) giveUp(complaint);
  const limit = overtime.aborted ? 'time' : outOfMemory ? 'memory' : null;
  return resultWithoutWord(limit, Date.now() - started);
}

/** The supervisor cannot see its own control group. What ended well was not ended by want of memory. */
function withMemoryLimit(result: SandboxResult): SandboxResult {
  return { ...result, limit: result.limit ?? (result.exitCode === 0 ? null : 'memory') };
}

/** Those who make the sandbox begin with their names; the supervisor says so when less than a request came. */
function hasNotBegun(complaint: string): boolean {
  return /^((enter|setpriv|bwrap): |no whole request came)/.test(complaint);
}

function giveUp(cause: unknown): never {
  const reason = cause instanceof Error ? cause.message : String(cause);
  throw new SandboxUnavailable('engine_lost', `No sandbox can be made: ${reason}.`, cause);
}
