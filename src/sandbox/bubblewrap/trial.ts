import { SandboxUnavailable } from '../../contracts/sandbox.ts';
import type { SandboxLimits, SandboxRequest } from '../../contracts/sandbox.ts';
import { describeError } from '../../contracts/thrown.ts';
import { enableControllers } from './cgroups.ts';
import { findHierarchies } from './hierarchy.ts';
import type { Setup } from './process.ts';
import { runOnce, type Runner } from './run.ts';

/** Shows that all languages run, and that a file gets in. */
const TRIAL: SandboxRequest = {
  key: 'trial',
  language: 'bash',
  code: 'cat file && python3 --version && node --version',
  files: [{ name: 'file', content: new Uint8Array() }],
  timeoutMs: 20_000,
};

const NAMESPACES_ADVICE =
  'It needs user namespaces for users without rights (sysctl user.max_user_namespaces above 0; where they exist, ' +
  'kernel.unprivileged_userns_clone=1 and kernel.apparmor_restrict_unprivileged_userns=0) and bubblewrap 0.8 or newer.';
const GROUPS_ADVICE =
  'It needs control groups that the worker may make: run it as root, or in a systemd unit with Delegate=yes and ' +
  'DelegateSubgroup=worker (to try it: systemd-run --user --scope -p Delegate=yes <command>).';

/**
 * Finds by trying where control groups can be made and whether a sandbox can: both may be off.
 * @throws SandboxUnavailable `program_missing`, with what was refused
 */
export async function tryOut(
  setup: Setup,
  limits: SandboxLimits,
): Promise<{ runner: Runner; versions: string }> {
  const refusals: string[] = [];
  for (const hierarchy of await findHierarchies()) {
    const runner = { setup, hierarchy, limits };
    try {
      await enableControllers(hierarchy);
      return { runner, versions: await versionsInside(runner) };
    } catch (error) {
      refusals.push(describeError(error));
    }
  }
  throw refused(
    refusals.join(' ') || 'No cgroup file system with memory, pids and cpu is mounted.',
  );
}

async function versionsInside(runner: Runner): Promise<string> {
  const { signal } = new AbortController();
  const { exitCode, stdout, stderr } = await runOnce(runner, TRIAL, signal);
  if (exitCode === 0) return stdout.trim().split('\n').join(', Node ');
  throw new Error(`Python, Node and Bash do not all run inside: ${stderr.trim()}.`);
}

function refused(reasons: string): SandboxUnavailable {
  const advice = reasons.includes('bwrap: ') ? NAMESPACES_ADVICE : GROUPS_ADVICE;
  const message = `bubblewrap cannot keep its limits here. ${reasons} ${advice}`;
  return new SandboxUnavailable('program_missing', message);
}
