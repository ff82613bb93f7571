import { invalid, missing, readChoice, readText, readWithDefault } from './readers.ts';
import type { Environment } from './readers.ts';
import { SETTINGS } from './settings.ts';

/** How a worker takes part in Temporal's worker versioning. */
export interface Versioning {
  /** Whether a turn stays with the build that began it, or goes on with the current one. */
  readonly behavior: 'PINNED' | 'AUTO_UPGRADE';
  readonly buildId: string;
  /** Temporal's name for all builds together: the task queue. */
  readonly deployment: string;
}

const BEHAVIORS = { pinned: 'PINNED', 'auto-upgrade': 'AUTO_UPGRADE' } as const;

/** Null: any build may go on with any turn. */
export function readVersioning(env: Environment): Versioning | null {
  const choice = readChoice(env, 'TURNKEEPER_VERSIONING') ?? SETTINGS.TURNKEEPER_VERSIONING.default;
  if (choice === 'none') return null;
  const buildId = readText(env, 'TURNKEEPER_BUILD_ID');
  if (buildId === null) {
    const message = `TURNKEEPER_BUILD_ID is not set, and TURNKEEPER_VERSIONING is ${choice}.`;
    throw missing('TURNKEEPER_BUILD_ID', message);
  }
  if (buildId.startsWith('__')) {
    throw invalid('TURNKEEPER_BUILD_ID', buildId, 'a name that does not begin with __');
  }
  const deployment = readWithDefault(env, 'TURNKEEPER_TASK_QUEUE');
  // Temporal takes a version apart at these characters.
  if (/[.:]|^__/.test(deployment)) {
    const allowed = `without . and : and not begin with __ while TURNKEEPER_VERSIONING is ${choice}`;
    throw invalid('TURNKEEPER_TASK_QUEUE', deployment, allowed);
  }
  return { behavior: BEHAVIORS[choice], buildId, deployment };
}
