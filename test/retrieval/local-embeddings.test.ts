import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import type { TestContext } from 'vitest';
import type { Embedder } from '../../src/contracts/retrieval.ts';
import { localEmbedder } from '../../src/model/local-embeddings.ts';
import { modelWeights } from '../support/weights.ts';

const signal = new AbortController().signal;

const SOURCE = new URL('../../src/model/local-embeddings.ts', import.meta.url);

async function embedder(context: TestContext): Promise<Embedder> {
  const loaded = await localEmbedder(await modelWeights(context));
  if (!loaded) throw new Error('@huggingface/transformers is not installed.');
  return loaded;
}

/** Of unit vectors this is the cosine. */
function dot(a: number[] = [], b: number[] = []): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}

describe('the local embedder', () => {
  test('gives a unit vector of 384 dimensions for each text, the empty one included', async (context) => {
    const { embed, dimensions, space } = await embedder(context);
    const vectors = await embed(['Every parent gets 20 weeks of leave.', ''], { signal });
    expect([space, dimensions]).toEqual(['all-MiniLM-L6-v2-q8', 384]);
    expect(vectors.map((vector) => vector.length)).toEqual([384, 384]);
    for (const vector of vectors) expect(dot(vector, vector)).toBeCloseTo(1, 4);
    expect(await embed([], { signal })).toEqual([]);
  });

  test.for([
    ['How long may a new mother stay at home?', 'Every parent gets 20 weeks of leave at full pay.'],
    ['What does the firm pay for a room?', 'The limit for hotels is 140 euros a night.'],
    ['My notebook was stolen', 'Report a lost laptop within one hour.'],
    ['The site is down for all users', 'SEV1: the platform is unavailable for everybody.'],
  ])(
    'puts a paraphrase nearer than anything unrelated: %s',
    async ([question, paraphrase], context) => {
      const unrelated = ['Meetings are not placed on Fridays.', 'Keep the miles you collect.'];
      const { embed } = await embedder(context);
      const texts = [question, paraphrase, ...unrelated].map(String);
      const [asked, near, ...far] = await embed(texts, { signal });
      for (const vector of far) expect(dot(asked, near)).toBeGreaterThan(dot(asked, vector) + 0.1);
    },
  );

  test('keeps the order of more texts than fit into one batch', async (context) => {
    const { embed } = await embedder(context);
    const texts = Array.from({ length: 35 }, (_, n) => `Room ${n} is on floor ${n % 4}.`);
    const vectors = await embed(texts, { signal });
    expect(vectors).toHaveLength(35);
    const [again] = await embed([texts[33] ?? ''], { signal });
    const nearest = vectors.map((vector) => dot(vector, again));
    expect(nearest.indexOf(Math.max(...nearest))).toBe(33);
  });

  test('stops between batches when it is told to', async (context) => {
    const { embed } = await embedder(context);
    const abort = new AbortController();
    const working = embed(Array<string>(200).fill('A passage.'), { signal: abort.signal });
    abort.abort(new Error('told to stop'));
    await expect(working).rejects.toThrow('told to stop');
  });

  test('is null where the optional package is not installed', async () => {
    // A directory from which no installed package can be found.
    const bare = await mkdtemp(join(tmpdir(), 'turnkeeper-bare-'));
    await copyFile(SOURCE, join(bare, 'local-embeddings.mts'));
    const { stdout } = await promisify(execFile)(process.execPath, [
      ...['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval'],
      `import { localEmbedder } from ${JSON.stringify(join(bare, 'local-embeddings.mts'))};
       console.log(await localEmbedder('/nowhere'));`,
    ]);
    expect(stdout).toBe('null\n');
    await rm(bare, { recursive: true });
  });

  test('refuses a directory without a model, and asks no network for it', async () => {
    const empty = await mkdtemp(join(tmpdir(), 'turnkeeper-no-model-'));
    const fetched = vi.spyOn(globalThis, 'fetch');
    await expect(localEmbedder(empty)).rejects.toThrow();
    expect(fetched).not.toHaveBeenCalled();
    await rm(empty, { recursive: true });
  });
});
