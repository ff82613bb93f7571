import { pathToFileURL } from 'node:url';
import { loadConfig } from './config.ts';
import { TurnkeeperError } from './contracts/errors.ts';
import { describeError } from './contracts/thrown.ts';
import type { ToolDefinition } from './contracts/tools.ts';
import { runWorker } from './run-worker.ts';
import { jsonLogger } from './telemetry/logger.ts';

const logger = jsonLogger();

try {
  const config = loadConfig();
  const tools = await loadTools(config.toolsModule);
  await runWorker({ config, tools, logger, onReady: () => logger.info('worker is ready') });
  // A tool that did not end in time must not keep the process.
  process.exit();
} catch (error) {
  if (!(error instanceof TurnkeeperError)) throw error;
  logger.error(error.message, { code: error.code, ...error.details });
  process.exitCode = 1;
}

async function loadTools(path: string | null): Promise<ToolDefinition[]> {
  if (path === null) return [];
  const module = await importTools(path);
  if (Array.isArray(module.tools)) return module.tools as ToolDefinition[];
  throw new TurnkeeperError(
    'invalid_setting',
    `TURNKEEPER_TOOLS names ${path}, which does not export an array \`tools\`.`,
  );
}

async function importTools(path: string): Promise<{ tools?: unknown }> {
  try {
    return (await import(pathToFileURL(path).href)) as { tools?: unknown };
  } catch (error) {
    const reason = describeError(error);
    const message = `TURNKEEPER_TOOLS names ${path}, which cannot be imported: ${reason}.`;
    throw new TurnkeeperError('invalid_setting', message, {}, error);
  }
}
