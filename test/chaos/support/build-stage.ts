import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a stage is put together with. */
export interface Building {
  /** Removed with the stage. */
  folder: string;
  /** Stops the part with the stage, those first that came last. */
  keep<Part extends { stop(): Promise<unknown> }>(part: Part): Part;
}

/** When `build` fails, nothing that it has kept stays. */
export async function buildStage<Stage extends object>(
  build: (building: Building) => Promise<Stage>,
): Promise<Stage & { close(): Promise<void> }> {
  const closings: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const closing of closings.splice(0).reverse()) await closing();
  };
  const folder = await mkdtemp(join(tmpdir(), 'turnkeeper-chaos-'));
  closings.push(() => rm(folder, { recursive: true, force: true }));
  const keep: Building['keep'] = (part) => {
    closings.push(() => part.stop());
    return part;
  };
  try {
    // PostgreSQL runs as another user.
    await chmod(folder, 0o711);
    return { ...(await build({ folder, keep })), close };
  } catch (error) {
    await close();
    throw error;
  }
}
