import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readWorkflowBundle } from './config.ts';

/** What `Worker` takes as its workflows. */
export type WorkflowCode = { workflowBundle: { codePath: string } } | { workflowsPath: string };

/** The bundle that is configured, or that of the build; without one, the sources, to be bundled at start. */
export function workflowCode(): WorkflowCode {
  const codePath = readWorkflowBundle() ?? (existsSync(BUILT_BUNDLE) ? BUILT_BUNDLE : null);
  return codePath === null ? { workflowsPath: workflowsPath() } : { workflowBundle: { codePath } };
}

/** The file that exports all workflows, of the sources or of the build, whichever this file belongs to. */
export function workflowsPath(): string {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return fileURLToPath(new URL(`./workflows/index.${extension}`, import.meta.url));
}

const BUILT_BUNDLE = fileURLToPath(new URL('./workflows/bundle.js', import.meta.url));
