import type { Exit } from '../guarded-process.ts';
import type { Resources } from './resources.ts';

interface Part {
  exited: Promise<Exit>;
  stop(): Promise<unknown>;
}

/** Called when a part has ended that nobody had told to. */
export type OnLost = (part: string, exit: Exit) => void;

/** Starts a part that everything else needs, to be stopped with the rest. */
export async function startWatched<T extends Part>(
  name: string,
  { resources, onLost }: { resources: Resources; onLost?: OnLost | undefined },
  begin: () => Promise<T>,
): Promise<T> {
  let meant = false;
  const part = await resources.start(begin, (started) => {
    meant = true;
    return started.stop();
  });
  void part.exited.then((exit) => {
    if (!meant) onLost?.(name, exit);
  });
  return part;
}
