import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../../src/config/settings.ts';
import { allOf, read, readDockerfile, ROOT } from './compose-file.ts';

/** Files that a COPY takes out of the folder, not out of another stage. */
async function copiedFiles(): Promise<string[]> {
  const copies = (await allOf('COPY')).filter((rest) => !rest.startsWith('--from='));
  return copies.flatMap((rest) => rest.split(/\s+/).slice(0, -1));
}

async function stages(): Promise<{ base: string; name: string | null }[]> {
  return (await allOf('FROM')).map((rest) => {
    const [base = '', , name = null] = rest.split(/\s+/);
    return { base, name };
  });
}

describe('the Dockerfile', () => {
  it('is built on stages of its own and on one pinned version of Node, as new as the package asks', async () => {
    const known = new Set<string>();
    for (const { base, name } of await stages()) {
      if (!known.has(base)) expect(base).toMatch(/^node:\d+\.\d+\.\d+-bookworm-slim$/);
      if (name !== null) known.add(name);
    }
    const from = (await allOf('COPY')).flatMap((rest) => /^--from=(\S+)/.exec(rest)?.[1] ?? []);
    for (const stage of from) expect([...known]).toContain(stage);
    expect(
      new Set((await stages()).map(({ base }) => base).filter((base) => !known.has(base))).size,
    ).toBe(1);
  });

  it('copies files that are there and that .dockerignore lets through', async () => {
    const allowed = (await read('.dockerignore'))
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    for (const file of await copiedFiles()) {
      expect(existsSync(new URL(file, ROOT)), file).toBe(true);
      expect(allowed).toContain(file);
    }
    for (const file of allowed) expect(await copiedFiles()).toContain(file);
  });

  it('installs what the lock file says, and what only development needs not into the image', async () => {
    const runs = await allOf('RUN');
    expect(runs.filter((run) => run.startsWith('npm ci'))).toHaveLength(2);
    expect(runs[0]).toContain('--omit=dev');
    const last = (await readDockerfile()).findLastIndex(
      ({ instruction }) => instruction === 'FROM',
    );
    const final = (await readDockerfile()).slice(last);
    expect(final.filter(({ instruction }) => instruction === 'RUN')).toEqual([]);
    expect(final.map(({ rest }) => rest)).toContain(
      '--from=dependencies /app/node_modules node_modules',
    );
  });

  it('runs the worker that the build makes, as somebody who is not root', async () => {
    expect(await allOf('CMD')).toEqual(['["node", "dist/worker.js"]']);
    expect(existsSync(new URL('src/worker.ts', ROOT))).toBe(true);
    const { compilerOptions } = JSON.parse(await read('tsconfig.build.json')) as {
      compilerOptions: { outDir: string; rootDir: string };
    };
    expect(compilerOptions).toMatchObject({ outDir: 'dist', rootDir: 'src' });
    expect(await allOf('USER')).toEqual(['node']);
    const order = (await readDockerfile()).map(({ instruction }) => instruction);
    expect(order.indexOf('USER')).toBeLessThan(order.lastIndexOf('CMD'));
  });

  it('asks the worker itself for its health, with metrics on', async () => {
    const [env = ''] = await allOf('ENV');
    const set = env.split(/\s+/).map((pair) => pair.split('=')[0] ?? '');
    expect(set.filter((name) => name !== 'NODE_ENV')).toEqual(['TURNKEEPER_METRICS_PORT']);
    expect(Object.keys(SETTINGS)).toContain('TURNKEEPER_METRICS_PORT');
    const [check = ''] = await allOf('HEALTHCHECK');
    expect(check).toContain('/healthz');
    expect(check).toContain('process.env.TURNKEEPER_METRICS_PORT');
  });
});
