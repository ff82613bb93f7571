import { TurnkeeperError } from '../contracts/errors.ts';
import { SandboxUnavailable } from '../contracts/sandbox.ts';
import type { Sandbox, SandboxLimits } from '../contracts/sandbox.ts';
import { bubblewrapSandbox } from './bubblewrap.ts';
import { DEFAULT_LIMITS } from './limits.ts';

export interface SandboxSettings {
  kind: 'auto' | Sandbox['kind'] | 'none';
  image: string;
  runtime: string | null;
  dockerHost: string;
}

export interface OpenedSandbox {
  /** Null when there is none. */
  sandbox: Sandbox | null;
  /** Why a back end that comes earlier was passed over, a sentence or two each. */
  reasons: string[];
}

/**
 * Opens the sandbox that the settings ask for; with `auto` the first one that this host has.
 * @throws TurnkeeperError `sandbox_unavailable`, when a certain one is asked for and not there
 */
export async function openSandbox(
  settings: SandboxSettings,
  limits: SandboxLimits = DEFAULT_LIMITS,
): Promise<OpenedSandbox> {
  const { kind } = settings;
  if (kind === 'none') return { sandbox: null, reasons: ['TURNKEEPER_SANDBOX is none.'] };
  if (kind === 'auto') return firstOf(['docker', 'bubblewrap'], settings, limits);
  const opened = await firstOf([kind], settings, limits);
  if (opened.sandbox !== null) return opened;
  throw new TurnkeeperError('sandbox_unavailable', opened.reasons.join(' '), { kind });
}

async function firstOf(
  kinds: Sandbox['kind'][],
  settings: SandboxSettings,
  limits: SandboxLimits,
): Promise<OpenedSandbox> {
  const reasons: string[] = [];
  for (const kind of kinds) {
    try {
      return { sandbox: await BACK_ENDS[kind](settings, limits), reasons };
    } catch (error) {
      if (!(error instanceof SandboxUnavailable)) throw error;
      reasons.push(error.message);
    }
  }
  return { sandbox: null, reasons };
}

const BACK_ENDS = {
  // Loaded where it is used alone: processes without it start faster.
  docker: async ({ dockerHost, image, runtime }, limits) => {
    const { dockerSandbox } = await import('./docker.ts');
    return dockerSandbox({ dockerHost, image, runtime, limits });
  },
  bubblewrap: (_settings, limits) => bubblewrapSandbox({ limits }),
} satisfies Record<
  Sandbox['kind'],
  (settings: SandboxSettings, limits: SandboxLimits) => Promise<Sandbox>
>;
