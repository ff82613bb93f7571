import { NativeConnection, Worker } from '@temporalio/worker';
import { createActivities } from './activities/index.ts';
import type { ActivityDependencies } from './activities/dependencies.ts';
import { composeWorker, type WorkerComposition, type WorkerParts } from './compose.ts';
import type { Config } from './config.ts';
import { TurnkeeperError } from './contracts/errors.ts';
import { waitAtMost } from './recovery/repeat.ts';
import { startSweep } from './recovery/sweep.ts';
import { logRuntime } from './telemetry/runtime-logger.ts';
import { startMetricsServer, type MetricsServer } from './telemetry/metrics-server.ts';
import { countSweep, type Metrics } from './telemetry/metrics.ts';
import { deploymentOptions, warnUnlessRouted } from './worker-deployment.ts';
import { workflowCode } from './workflow-code.ts';

/** Activities hand over or finish before this; only code that blocks the process is cut off by it. */
const SHUTDOWN_FORCE_TIME = '30s';
/** An engine or a database that hangs keeps no worker from ending. */
const CLOSE_PATIENCE_MS = 5_000;

/** A worker that does not ask for work yet. */
export interface OpenWorker {
  ports: ActivityDependencies;
  /** Works and sweeps until it is told to stop, or the process gets SIGTERM or SIGINT. */
  run(): Promise<void>;
  /** Asks `run` to end. */
  stop(): void;
  /** Closes its connections, once it does not run. */
  close(): Promise<void>;
}

/** @throws TurnkeeperError for bad tools, and for parts that cannot be had */
export async function openWorker(
  config: Config,
  composition: Omit<WorkerComposition, 'connection'>,
): Promise<OpenWorker> {
  logRuntime(composition.logger);
  const connection = await connectNative(config);
  const parts = await closingOnFailure(connection, () =>
    composeWorker(config, { ...composition, connection }),
  );
  const { ports, chores, metrics } = parts;
  const close = async () => {
    await waitAtMost(CLOSE_PATIENCE_MS, parts.close());
    await connection.close();
  };
  const worker = await closingOnFailure({ close }, () => createWorker(config, connection, parts));
  const { versioning, temporal } = config;
  if (versioning) {
    await warnUnlessRouted(connection, temporal.namespace, versioning, composition.logger);
  }
  const metricsServer = await closingOnFailure({ close }, () =>
    serveMetrics(config, metrics, worker),
  );
  return {
    ports,
    async run() {
      const sweep = startSweep({
        ...ports,
        chores,
        intervalMs: config.worker.sweepIntervalMs,
        ...(metrics && { onSwept: (counts) => countSweep(metrics, { ...counts }) }),
      });
      await worker.run().finally(() => sweep.stop());
    },
    stop: () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
    },
    async close() {
      await metricsServer?.close();
      await close();
    },
  };
}

async function serveMetrics(
  config: Config,
  metrics: Metrics | null,
  worker: Worker,
): Promise<MetricsServer | null> {
  if (!config.metrics || !metrics) return null;
  const isPolling = () => worker.getState() === 'RUNNING';
  return startMetricsServer({ ...config.metrics, metrics, isPolling });
}

async function closingOnFailure<T>(
  opened: { close(): Promise<void> },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await opened.close().catch(() => undefined);
    throw error;
  }
}

async function connectNative({ temporal }: Config): Promise<NativeConnection> {
  try {
    return await NativeConnection.connect(temporal.connectionOptions);
  } catch (error) {
    const { address } = temporal.connectionOptions;
    const message = `No Temporal server answers at ${address}.`;
    throw new TurnkeeperError('temporal_unreachable', message, { address }, error);
  }
}

function createWorker(
  { temporal, taskQueue, worker, versioning }: Config,
  connection: NativeConnection,
  { ports, encryption }: WorkerParts,
): Promise<Worker> {
  return Worker.create({
    connection,
    namespace: temporal.namespace,
    taskQueue,
    ...workflowCode(),
    activities: createActivities(ports),
    dataConverter: encryption.dataConverter,
    ...deploymentOptions(versioning),
    maxConcurrentActivityTaskExecutions: worker.maxConcurrentActivities,
    // Cancellation arrives with the answer to a heartbeat: throttled to 0.8 of the timeout it comes too late.
    maxHeartbeatThrottleInterval: '500ms',
    defaultHeartbeatThrottleInterval: '500ms',
    // How long a turn waits for a worker that was killed before another one takes it.
    stickyQueueScheduleToStartTimeout: '1s',
    shutdownGraceTime: 0,
    shutdownForceTime: SHUTDOWN_FORCE_TIME,
  });
}
