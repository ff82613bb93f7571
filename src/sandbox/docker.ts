import { SandboxUnavailable } from '../contracts/sandbox.ts';
import type { Sandbox, SandboxLimits, SandboxRequest } from '../contracts/sandbox.ts';
import { seccompFilter } from './bubblewrap/seccomp.ts';
import { DEADLINE_LABEL, KEY_LABEL } from './docker/container.ts';
import { openEngine, unlessRefused, type Engine } from './docker/engine.ts';
import { resolveImage } from './docker/image.ts';
import { remove } from './docker/lifecycle.ts';
import { runInContainer } from './docker/run.ts';
import { checkRequest } from './limits.ts';

export interface DockerSandboxOptions {
  /** `unix://path` or `tcp://host:port`. */
  dockerHost: string;
  /** A tag, digest or id; the id that it means now is what runs. */
  image: string;
  /** Null for the engine's own. */
  runtime: string | null;
  limits: SandboxLimits;
}

/** A result that nobody came for is kept so long after its deadline: a turn may be tried again that late. */
const KEEP_MS = 600_000;

/**
 * Runs code in containers of their own. A container that has ended is the stored result: a retried call collects it, and
 * no code runs again.
 * @throws SandboxUnavailable `engine_missing`, `program_missing` (the runtime), `image_missing`, `image_unknown`
 */
export async function dockerSandbox(options: DockerSandboxOptions): Promise<Sandbox> {
  const { dockerHost, image, runtime, limits } = options;
  const { engine, version, architecture } = await openEngine(dockerHost, runtime);
  const imageId = await resolveImage(engine, image);
  const seccomp = architecture && seccompFilter(architecture);
  let setup = { imageId, runtime, limits, seccomp };
  const runWithImage = async (request: SandboxRequest, signal: AbortSignal) => {
    try {
      return await runInContainer({ engine, setup, request, signal });
    } catch (error) {
      if (!(error instanceof SandboxUnavailable) || error.reason !== 'image_missing') throw error;
      // It was built again, and the old one pruned.
      setup = { ...setup, imageId: await resolveImage(engine, image) };
      return runInContainer({ engine, setup, request, signal });
    }
  };
  const on = runtime === null ? '' : ` on ${runtime}`;
  return {
    kind: 'docker',
    description: `Docker ${version}${on} at ${dockerHost}, image ${image} (${imageId.slice(0, 19)})`,
    limits,
    async run(request, { signal }) {
      checkRequest(request, limits);
      return unlessRefused(engine, () => runWithImage(request, signal));
    },
    discard: (key) => unlessRefused(engine, () => discard(engine, key)),
    reap: () => unlessRefused(engine, () => reap(engine)),
    close: () => Promise.resolve(),
  };
}

async function discard(engine: Engine, key: string): Promise<void> {
  const containers = await list(engine, `${KEY_LABEL}=${key}`);
  await Promise.all(containers.map(({ Id }) => remove(engine, Id)));
}

/** The label is enough: no supervisor lets code run past its deadline, and nobody waits so long after it. */
async function reap(engine: Engine): Promise<number> {
  const containers = await list(engine, DEADLINE_LABEL);
  const late = containers.filter(({ Labels }) => {
    return Number(Labels[DEADLINE_LABEL]) + KEEP_MS < Date.now();
  });
  await Promise.all(late.map(({ Id }) => remove(engine, Id)));
  return late.length;
}

function list({ docker, ask }: Engine, label: string) {
  return ask(() => docker.listContainers({ all: true, filters: { label: [label] } }));
}
