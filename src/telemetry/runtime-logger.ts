import { DefaultLogger, IllegalStateError, Runtime } from '@temporalio/worker';
import { isTurnkeeperError } from '../contracts/errors.ts';
import type { Logger } from '../contracts/logger.ts';

/**
 * Has the process's Temporal runtime write its warnings and errors to our log. A runtime that the application has set up
 * itself is left as it is.
 */
export function logRuntime(logger: Logger): void {
  try {
    Runtime.install({ logger: runtimeLogger(logger) });
  } catch (error) {
    if (!(error instanceof IllegalStateError)) throw error;
  }
}

/** What Temporal tells at lower levels is left out. */
function runtimeLogger(logger: Logger): DefaultLogger {
  return new DefaultLogger('WARN', ({ level, message, meta }) => {
    const fields = { source: 'temporal', ...plainFields(meta) };
    if (level === 'WARN') logger.warn(message, fields);
    else logger.error(message, fields);
  });
}

const KEPT = ['workflowId', 'workflowType', 'activityType', 'activityId', 'attempt', 'taskQueue'];

/** Enough to find the place; failures are named, not printed, for they may quote what was said. */
function plainFields(meta: object = {}): Record<string, string | number> {
  const fields: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(meta)) {
    if (KEPT.includes(name) && (typeof value === 'string' || typeof value === 'number'))
      fields[name] = value;
    if (name === 'error' && value instanceof Error) fields['error'] = nameOf(value);
  }
  return fields;
}

/** What a failure of ours is called, as in docs/errors.md. */
function nameOf(error: Error): string {
  if (isTurnkeeperError(error)) return error.code;
  return 'type' in error && typeof error.type === 'string' ? error.type : error.name;
}
