import { childEnvironment, readSandbox } from '../../config.ts';
import type { Environment } from '../../config/readers.ts';
import { openSandbox } from '../../sandbox/open.ts';
import type { StartBoard } from './start-board.ts';

/**
 * Tells where the workers are going to run code. False where they cannot, which is said with the remedy. Throws
 * `sandbox_unavailable` when the settings insist on a sandbox that is not there.
 */
export async function showSandbox(env: Environment, board: StartBoard): Promise<boolean> {
  const { sandbox, reasons } = await openSandbox(readSandbox(childEnvironment(env)));
  if (sandbox === null) {
    board.note(`No sandbox, so no turn computes here. ${reasons.join(' ')}`);
    return false;
  }
  board.done('sandbox', sandbox.description);
  await sandbox.close();
  return true;
}
