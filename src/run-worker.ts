import { NativeConnection, Worker } from '@temporalio/worker';
import { fileURLToPath } from 'node:url';
import { createActivities } from './activities/index.ts';
import { composeWorker, type Replace } from './compose.ts';
import type { ActivityDependencies } from './activities/dependencies.ts';
import { describeConfig, loadConfig, requireModel, type Config } from './config.ts';
import { TurnkeeperError } from './contracts/errors.ts';
import type { Logger } from './contracts/logger.ts';
import type { ToolDefinition } from './contracts/tools.ts';
import { startSweep } from './recovery/sweep.ts';
import { jsonLogger } from './telemetry/logger.ts';
import { createTools } from './tools/registry.ts';

export { defineTool } from './tools/registry.ts';
export type { Reconciliation, ToolContext, ToolDefinition } from './contracts/tools.ts';

export interface WorkerRunOptions {
  /** The tools that assistants may name. */
  tools?: ToolDefinition[];
  /** The process's environment by default. */
  config?: Config;
  logger?: Logger;
  /** Puts other ports in the place of real ones, or around them: for tests of your own. */
  replace?: Replace<ActivityDependencies>;
  /** Called once the worker polls for work. */
  onReady?: () => void;
}

/** Activities hand over or finish before this; only code that blocks the process is cut off by it. */
const SHUTDOWN_FORCE_TIME = '30s';

/**
 * Runs a worker until the process gets SIGTERM or SIGINT.
 * @throws TurnkeeperError for bad settings, bad tools, and parts that cannot be reached
 */
export async function runWorker(options: WorkerRunOptions = {}): Promise<void> {
  const { config = loadConfig(), logger = jsonLogger(), tools = [], replace, onReady } = options;
  requireModel(config);
  const registry = createTools(tools);
  for (const line of describeConfig(config)) logger.info(line);
  const parts = await composeWorker(config, {
    logger,
    tools: registry,
    ...(replace && { replace }),
  });
  try {
    await runWithParts(config, parts.ports, onReady);
  } finally {
    await parts.close();
  }
}

async function runWithParts(
  config: Config,
  ports: ActivityDependencies,
  onReady: (() => void) | undefined,
): Promise<void> {
  const connection = await connectNative(config);
  try {
    const worker = await createWorker(config, connection, ports);
    const sweep = startSweep({ ...ports, intervalMs: config.worker.sweepIntervalMs });
    const running = worker.run().finally(() => sweep.stop());
    onReady?.();
    await running;
  } finally {
    await connection.close();
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
  { temporal, taskQueue, worker }: Config,
  connection: NativeConnection,
  ports: ActivityDependencies,
): Promise<Worker> {
  return Worker.create({
    connection,
    namespace: temporal.namespace,
    taskQueue,
    workflowsPath: workflowsPath(),
    activities: createActivities(ports),
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

/** The file that exports all workflows, of the sources or of the build, whichever this file belongs to. */
export function workflowsPath(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`./workflows/index.${extension}`, import.meta.url));
}
