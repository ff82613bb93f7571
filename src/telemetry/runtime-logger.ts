import { DefaultLogger } from '@temporalio/worker';
import type { Logger } from '../contracts/logger.ts';

/** Temporal's own warnings and errors as lines of our log; what it tells at lower levels is left out. */
export function runtimeLogger(logger: Logger): DefaultLogger {
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
    if (name === 'error' && value instanceof Error) fields['error'] = value.name;
  }
  return fields;
}
