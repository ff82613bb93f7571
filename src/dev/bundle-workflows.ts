import { bundleWorkflowCode } from '@temporalio/worker';
import { writeFile } from 'node:fs/promises';
import { workflowsPath } from '../workflow-code.ts';

/**
 * Bundles all workflows into `file`, which spares each worker some seconds at its start. `from` exports them, ours by
 * default.
 */
export async function bundleWorkflows(file: string, from = workflowsPath()): Promise<void> {
  const { code } = await bundleWorkflowCode({ workflowsPath: from, logger: SILENT });
  await writeFile(file, code);
}

const ignore = () => undefined;
const SILENT = {
  log: ignore,
  trace: ignore,
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
};
