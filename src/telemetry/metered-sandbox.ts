import { SandboxUnavailable, type Sandbox } from '../contracts/sandbox.ts';
import type { Metrics } from './metrics.ts';

/** Takes the time of runs that come to a result, and counts those that don't. */
export function meteredSandbox(sandbox: Sandbox, metrics: Metrics): Sandbox {
  const { kind: backend } = sandbox;
  return {
    ...sandbox,
    async run(request, options) {
      try {
        const result = await sandbox.run(request, options);
        const labels = { backend, limit: result.limit ?? 'none' };
        metrics.sandboxDuration.observe(labels, result.durationMs / 1_000);
        return result;
      } catch (error) {
        if (error instanceof SandboxUnavailable)
          metrics.sandboxFailures.inc({ backend, reason: error.reason });
        throw error;
      }
    },
  };
}
