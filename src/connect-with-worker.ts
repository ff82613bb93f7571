import { createClient, type Turnkeeper } from './client/client.ts';
import { loadConfig, requireModel, type Config } from './config.ts';
import { describeConfig } from './config/describe.ts';
import type { Logger } from './contracts/logger.ts';
import { describeError } from './contracts/thrown.ts';
import type { ToolDefinition } from './contracts/tools.ts';
import { openWorker } from './open-worker.ts';
import { jsonLogger } from './telemetry/logger.ts';

export interface ConnectWithWorkerOptions {
  /** The tools that assistants may name. */
  tools?: ToolDefinition[];
  /** The process's environment by default. */
  config?: Config;
  /** JSON lines on standard error by default. */
  logger?: Logger;
}

/**
 * Connects like `connect`, with a worker in this process. They share their connections, so that turns that are started
 * here begin at once, without waiting in Temporal's queue. Other processes may take part in the work all the same.
 * `close` lets the worker hand over what it is doing. The worker also ends on SIGTERM and SIGINT; the client goes on.
 * @throws TurnkeeperError for bad settings, bad tools, and parts that cannot be reached
 */
export async function connectWithWorker(
  options: ConnectWithWorkerOptions = {},
): Promise<Turnkeeper> {
  const { config = loadConfig(), logger = jsonLogger(), tools = [] } = options;
  requireModel(config);
  for (const line of describeConfig(config)) logger.info(line);
  const worker = await openWorker(config, { logger, tools });
  const running = worker.run().catch((error: unknown) => {
    logger.error('the worker failed, turns are left to other workers', {
      error: describeError(error),
    });
  });
  const { store, starter } = worker.ports;
  return createClient({
    store,
    starter,
    logger,
    limits: config.limits,
    async close() {
      worker.stop();
      await running;
      await worker.close();
    },
  });
}
