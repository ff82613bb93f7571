import type { ActivityDependencies } from './activities/dependencies.ts';
import type { Replace } from './compose.ts';
import { loadConfig, requireModel, type Config } from './config.ts';
import { describeConfig } from './config/describe.ts';
import type { Logger } from './contracts/logger.ts';
import type { ToolDefinition } from './contracts/tools.ts';
import { openWorker } from './open-worker.ts';
import { jsonLogger } from './telemetry/logger.ts';

export { connectWithWorker } from './connect-with-worker.ts';
export type { ConnectWithWorkerOptions } from './connect-with-worker.ts';
export { defineTool } from './tools/registry.ts';
export { AttemptOver, ToolUnavailable } from './contracts/tools.ts';
export type {
  CompensationContext,
  Reconciliation,
  ToolContext,
  ToolDefinition,
  ToolTurn,
} from './contracts/tools.ts';

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

/**
 * Runs a worker until the process gets SIGTERM or SIGINT.
 * @throws TurnkeeperError for bad settings, bad tools, and parts that cannot be reached
 */
export async function runWorker(options: WorkerRunOptions = {}): Promise<void> {
  const { config = loadConfig(), logger = jsonLogger(), tools = [], replace, onReady } = options;
  requireModel(config);
  for (const line of describeConfig(config)) logger.info(line);
  const worker = await openWorker(config, { logger, tools, ...(replace && { replace }) });
  try {
    const running = worker.run();
    onReady?.();
    await running;
  } finally {
    await worker.close();
  }
}
