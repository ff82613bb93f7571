import type { Setting } from './setting.ts';

/** Where programs of the model run. */
export const SANDBOX = {
  TURNKEEPER_SANDBOX: {
    default: 'auto',
    oneOf: ['auto', 'docker', 'bubblewrap', 'none'],
    description:
      'Where `run_code` runs. `auto` takes Docker where an engine has the image, else bubblewrap, else `none`: the tool is then refused.',
  },
  TURNKEEPER_SANDBOX_IMAGE: {
    default: 'turnkeeper-sandbox',
    description:
      'Image of the Docker sandbox: a tag, digest or id. Workers run the id it has when they start, until that one is gone.',
  },
  TURNKEEPER_SANDBOX_RUNTIME: {
    default: null,
    description:
      'Runtime of the Docker sandbox, such as `runsc` (gVisor). The engine’s own by default.',
  },
  TURNKEEPER_SANDBOX_CONCURRENCY: {
    default: null,
    range: [1, 10_000],
    description:
      'Programs that one worker runs in sandboxes at a time, others wait; as many as there are processors by default.',
  },
  DOCKER_HOST: {
    default: 'unix:///var/run/docker.sock',
    description: 'The Docker engine that runs sandboxes: `unix://path` or `tcp://host:port`.',
  },
} as const satisfies Record<string, Setting>;
