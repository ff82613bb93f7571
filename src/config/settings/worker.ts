import type { Setting } from './setting.ts';

/** Workers, and where they find their work. */
export const WORKER = {
  TURNKEEPER_CACHE_DIR: {
    default: '~/.cache/turnkeeper',
    description:
      'Folder for what was downloaded: the Temporal CLI, model weights. `XDG_CACHE_HOME` is respected.',
  },
  TURNKEEPER_TASK_QUEUE: {
    default: 'turnkeeper',
    description: 'Temporal task queue. Clients and workers must agree on it.',
  },
  TURNKEEPER_TOOLS: {
    default: null,
    description:
      'Path of a module that exports `tools`, an array of tool definitions, for the worker.',
  },
  TURNKEEPER_WORKFLOW_BUNDLE: {
    default: null,
    description:
      'Path of the bundled workflows. The build has a bundle; the sources are bundled whenever a worker starts.',
  },
  TURNKEEPER_VERSIONING: {
    default: 'none',
    oneOf: ['none', 'pinned', 'auto-upgrade'],
    description:
      'Temporal’s worker versioning. `none`: any build goes on with any turn. `pinned`: a turn stays with the build that began it, whose workers must stay until it has ended. `auto-upgrade`: it goes on with the current one. See [operations](operations.md#upgrades-with-turns-in-flight).',
  },
  TURNKEEPER_BUILD_ID: {
    default: null,
    description:
      'What tells this worker’s build from others, such as a commit. Required unless `TURNKEEPER_VERSIONING` is `none`, where it is not used.',
  },
} as const satisfies Record<string, Setting>;
