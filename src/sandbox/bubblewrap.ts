import type { Sandbox, SandboxLimits } from '../contracts/sandbox.ts';
import { removeLeftOvers } from './bubblewrap/cgroups.ts';
import { runOnce } from './bubblewrap/run.ts';
import { findSetup, versionOf } from './bubblewrap/setup.ts';
import { tryOut } from './bubblewrap/trial.ts';
import { checkRequest } from './limits.ts';

/**
 * Sandboxes made of namespaces and control groups of this host, with its own Python, Node and Bash inside. A run dies
 * with this process; a request that is made again runs again, which changes nothing outside.
 * @throws SandboxUnavailable `program_missing`, when this host lacks something or refuses it
 */
export async function bubblewrapSandbox({ limits }: { limits: SandboxLimits }): Promise<Sandbox> {
  const setup = await findSetup(limits);
  const { runner, versions } = await tryOut(setup, limits);
  const parts = [await versionOf(setup.bwrap), versions, `cgroup v${runner.hierarchy.version}`];
  return {
    kind: 'bubblewrap',
    description: parts.join(', '),
    limits,
    async run(request, { signal }) {
      checkRequest(request, limits);
      signal.throwIfAborted();
      return runOnce(runner, request, signal);
    },
    discard: () => Promise.resolve(),
    reap: () => removeLeftOvers(runner.hierarchy),
    close: () => Promise.resolve(),
  };
}
