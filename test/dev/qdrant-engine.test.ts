import { QdrantClient } from '@qdrant/js-client-rest';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readCacheDir } from '../../src/config.ts';
import { findPython } from '../../src/dev/qdrant-engine/python.ts';
import { startQdrantEngine, type QdrantEngine } from '../../src/dev/qdrant-engine/start.ts';
import { requirePart } from '../support/require-part.ts';

let folder: string;
let running: QdrantEngine[];

beforeEach(async () => {
  running = [];
  folder = await mkdtemp(join(tmpdir(), 'turnkeeper-engine-'));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await Promise.all(running.map((engine) => engine.stop()));
  await rm(folder, { recursive: true, force: true });
});

describe('Qdrant’s engine', () => {
  beforeEach((context) => requirePart(context, 'qdrant-engine'));

  async function start(): Promise<{ engine: QdrantEngine; client: QdrantClient }> {
    const engine = await startQdrantEngine({
      dataDir: join(folder, 'data'),
      cacheDir: readCacheDir(),
    });
    running.push(engine);
    return { engine, client: new QdrantClient({ url: engine.url, checkCompatibility: false }) };
  }

  const create = (client: QdrantClient) =>
    client.createCollection('things', { vectors: { dense: { size: 2, distance: 'Cosine' } } });

  const put = (client: QdrantClient, id: number, dense: number[] = [1, 0]) =>
    client.upsert('things', { points: [{ id, vector: { dense }, payload: { n: id } }] });

  it('is gone when it is stopped, and has everything when it is started again', async () => {
    const { engine, client } = await start();
    await create(client);
    await client.createPayloadIndex('things', {
      field_name: 'tenant',
      field_schema: { type: 'keyword', is_tenant: true },
    });
    await put(client, 1);
    await engine.stop();
    await expect(client.count('things')).rejects.toThrow('fetch failed');
    const again = await start();
    const {
      config,
      payload_schema: fields,
      points_count: points,
    } = await again.client.getCollection('things');
    expect(points).toBe(1);
    expect(config.params.vectors).toEqual({ dense: { size: 2, distance: 'Cosine' } });
    expect(fields).toMatchObject({ tenant: { data_type: 'keyword', params: { is_tenant: true } } });
  });

  it('loses nothing that it has confirmed when it is killed', async () => {
    const { engine, client } = await start();
    await create(client);
    let confirmed = 0;
    const writing = (async () => {
      for (let id = 1; ; id += 1) {
        await put(client, id);
        confirmed = id;
        if (id === 50) process.kill(engine.pid, 'SIGKILL');
      }
    })();
    await expect(writing).rejects.toThrow();
    expect(confirmed).toBeGreaterThanOrEqual(50);
    const { client: after } = await start();
    const { count } = await after.count('things');
    expect([confirmed, confirmed + 1]).toContain(count);
  });

  it('refuses a data directory that another one uses', async () => {
    await start();
    await expect(start()).rejects.toMatchObject({ code: 'data_dir_in_use' });
  });

  it('refuses what the server would refuse, and what it does not know', async () => {
    const { client } = await start();
    await create(client);
    const refused = async (asking: Promise<unknown>) => {
      const { status, data } = (await asking.catch((error: unknown) => error)) as {
        status: number;
        data: { status: { error: string } };
      };
      return [status, data.status.error];
    };
    expect(await refused(create(client))).toEqual([409, expect.stringContaining('already exists')]);
    expect(await refused(put(client, 1, [1, 2, 3]))).toEqual([
      400,
      expect.stringContaining('expected dim: 2, got 3'),
    ]);
    expect(await refused(client.query('things', { query: [1], using: 'dense' }))).toEqual([
      400,
      expect.stringContaining('expected dim: 2, got 1'),
    ]);
    expect(await refused(client.count('nothing'))).toEqual([
      404,
      expect.stringContaining('nothing'),
    ]);
    expect(await refused(client.delete('things', { filter: {} }))).toEqual([
      400,
      expect.stringContaining('matches everything'),
    ]);
    expect(await refused(client.query('things', { query: { sample: 'random' } }))).toEqual([
      400,
      expect.stringContaining('does not know sample'),
    ]);
    expect(await refused(client.getAliases())).toEqual([
      404,
      expect.stringContaining('not served'),
    ]);
    expect((await client.count('things')).count).toBe(0);
  });
});

describe('the Python of Qdrant’s engine', () => {
  /** A stand-in for python3 that makes a stand-in for an environment; pip and the check do as they are told. */
  async function putPython(steps: { pip: string; check: string }): Promise<void> {
    const inner = `case "$2" in pip) ${steps.pip} ;; *) ${steps.check} ;; esac`;
    const outer = `mkdir -p "$3/bin"; printf '#!/bin/sh\\n%s\\n' '${inner}' > "$3/bin/python"; chmod +x "$3/bin/python"`;
    const path = join(folder, 'path');
    await mkdir(path, { recursive: true });
    await writeFile(join(path, 'python3'), `#!/bin/sh\n${outer}\n`, { mode: 0o755 });
    vi.stubEnv('PATH', `${path}:/usr/bin:/bin`);
  }

  const find = (onProgress?: (message: string) => void) =>
    findPython({ cacheDir: join(folder, 'cache'), ...(onProgress && { onProgress }) });

  it('is installed into the cache folder, once, and says so before', async () => {
    await putPython({ pip: 'exit 0', check: 'exit 0' });
    const said: string[] = [];
    const pythons = [await find((line) => said.push(line)), await find((line) => said.push(line))];
    const python = join(folder, 'cache', 'qdrant-edge-0.9.0', 'bin', 'python');
    expect(pythons).toEqual([python, python]);
    expect(said).toEqual([expect.stringContaining('qdrant-edge-py==0.9.0')]);
    expect(await readdir(join(folder, 'cache'))).toEqual(['qdrant-edge-0.9.0']);
  });

  it('may be installed by several at once', async () => {
    await putPython({ pip: 'exit 0', check: 'exit 0' });
    const pythons = await Promise.all([find(), find(), find()]);
    expect(new Set(pythons).size).toBe(1);
    expect(await readdir(join(folder, 'cache'))).toEqual(['qdrant-edge-0.9.0']);
  });

  it.each([
    [
      'pip finds none',
      { pip: 'echo "No matching distribution found" >&2; exit 1', check: 'exit 0' },
    ],
    ['what comes does not run', { pip: 'exit 0', check: 'exit 1' }],
  ])('is told to be missing, with the command that adds it, when %s', async (_what, steps) => {
    await putPython(steps);
    const failure = find();
    await expect(failure).rejects.toMatchObject({ code: 'service_failed' });
    await expect(failure).rejects.toThrow(/No matching distribution|does not run here/);
    await expect(failure).rejects.toThrow('apt-get install -y python3-venv');
    expect(await readdir(join(folder, 'cache'))).toEqual([]);
  });
});
