import type { NativeConnection, WorkerOptions } from '@temporalio/worker';
import type { Versioning } from './config/versioning.ts';
import type { Logger } from './contracts/logger.ts';
import { describeError } from './contracts/thrown.ts';

const CALL_TIMEOUT_MS = 5_000;
/** `NOT_FOUND` of gRPC. */
const NOT_FOUND = 5;

/** What makes a worker take part in worker versioning; nothing for one that does not. */
export function deploymentOptions(
  versioning: Versioning | null,
): Pick<WorkerOptions, 'workerDeploymentOptions'> {
  if (versioning === null) return {};
  const { buildId, deployment, behavior } = versioning;
  return {
    workerDeploymentOptions: {
      version: { buildId, deploymentName: deployment },
      useWorkerVersioning: true,
      defaultVersioningBehavior: behavior,
    },
  };
}

/**
 * Asks Temporal whether new turns come to this build, and warns when they don't, with the command that sends them here:
 * while no build is current, they wait for workers without versioning. That is no failure: a build is made current once
 * its workers run.
 */
export async function warnUnlessRouted(
  connection: NativeConnection,
  namespace: string,
  { deployment, buildId }: Versioning,
  logger: Logger,
): Promise<void> {
  const fields = { deployment, build: buildId };
  try {
    const { current, ramping } = await routedBuilds(connection, namespace, deployment);
    if (current === buildId || ramping === buildId) return;
    const waits = 'no build is current: turns wait for workers without versioning, or until one is';
    const goes = 'new turns go to another build';
    const command = currentCommand(namespace, { deployment, buildId });
    logger.warn(current === null ? waits : goes, { ...fields, current, command });
  } catch (error) {
    logger.warn('not known which build new turns go to', {
      ...fields,
      error: describeError(error),
    });
  }
}

interface RoutedBuilds {
  /** Gets new turns, and those that are not pinned. */
  current: string | null;
  /** Gets a share of them. */
  ramping: string | null;
}

/** Temporal knows a deployment once its first worker has asked for work. */
async function routedBuilds(
  connection: NativeConnection,
  namespace: string,
  deploymentName: string,
): Promise<RoutedBuilds> {
  try {
    const { workerDeploymentInfo } = await connection.withDeadline(
      Date.now() + CALL_TIMEOUT_MS,
      () => connection.workflowService.describeWorkerDeployment({ namespace, deploymentName }),
    );
    const { currentDeploymentVersion, rampingDeploymentVersion } =
      workerDeploymentInfo?.routingConfig ?? {};
    return {
      current: currentDeploymentVersion?.buildId ?? null,
      ramping: rampingDeploymentVersion?.buildId ?? null,
    };
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return { current: null, ramping: null };
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === NOT_FOUND;
}

function currentCommand(
  namespace: string,
  { deployment, buildId }: Pick<Versioning, 'deployment' | 'buildId'>,
): string {
  const names = `--deployment-name ${deployment} --build-id ${buildId}`;
  return `temporal worker deployment set-current-version --namespace ${namespace} ${names}`;
}
