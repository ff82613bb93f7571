import { fileURLToPath } from 'node:url';
import { announced } from '../child.ts';
import { startGuarded } from '../guarded-process.ts';
import { findPython } from './python.ts';
import type { FindPython } from './python.ts';

const NAME = "Qdrant's engine";

export interface QdrantEngineOptions extends FindPython {
  /** Holds the collections; made when it is missing. One engine at a time may use it. */
  dataDir: string;
}

export interface QdrantEngine {
  /** For `QDRANT_URL`. It takes no key. */
  url: string;
  pid: number;
  /** Writes everything to disk and waits until the process is gone. */
  stop(): Promise<void>;
}

/**
 * Starts Qdrant's engine, as PyPI ships it, on a free port of 127.0.0.1, behind the part of Qdrant's REST that the vector
 * index speaks. It ends when this process does; what was written survives that. Throws `data_dir_in_use`, or
 * `service_failed` when it cannot be installed or started.
 */
export async function startQdrantEngine(options: QdrantEngineOptions): Promise<QdrantEngine> {
  const python = await findPython(options);
  const child = await startGuarded({
    name: NAME,
    command: python,
    args: [
      '-B',
      fileURLToPath(new URL('./server.py', import.meta.url)),
      '--data-dir',
      options.dataDir,
    ],
  });
  const { listening } = await announced(child, NAME);
  return { url: String(listening), pid: child.pid, stop: () => child.stop() };
}
