import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { IMAGE_VERSION } from '../../src/sandbox/docker/image.ts';
import { dockerSettings, useDocker } from './docker-fixtures.ts';

const FOLDER = new URL('../../docker/sandbox/', import.meta.url);
const run = promisify(execFile);
const read = (name: string) => readFile(new URL(name, FOLDER), 'utf8');

/** What the image is told from others by. */
async function contentOf(): Promise<string> {
  const hash = createHash('sha256');
  for (const name of ['Dockerfile', 'packages', 'install.sh', 'supervisor.py'])
    hash.update(await read(name));
  return hash.digest('hex').slice(0, 16);
}

describe('the recipe of the sandbox image', () => {
  it('carries the version that workers ask for', async () => {
    expect(await read('Dockerfile')).toContain(`LABEL org.turnkeeper.sandbox=${IMAGE_VERSION} `);
  });

  it('starts from a release of Debian that does not change', async () => {
    expect(await read('Dockerfile')).toMatch(/^FROM debian:bookworm-\d{8}-slim$/m);
  });

  it.each([
    ['build.sh', 'bash', ['-n']],
    ['install.sh', 'sh', ['-n']],
    ['supervisor.py', 'python3', ['-c', 'import ast, sys; ast.parse(open(sys.argv[1]).read())']],
  ])('has no mistake in writing in %s', async (name, program, args) => {
    await run(program, [...args, new URL(name, FOLDER).pathname]);
  });
});

describe('building the sandbox image', () => {
  const folders: string[] = [];
  afterEach(() => Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true }))));

  /** Calls of `docker` that build, with a stand-in that has an image of these sources, and the recipe it was given. */
  async function buildWith(...options: string[]) {
    const folder = await mkdtemp(join(tmpdir(), 'turnkeeper-build-'));
    folders.push(folder);
    const script = `#!/bin/sh
case "$*" in
  *--format*) echo ${await contentOf()} ;;
  build*) echo "$*" >>${folder}/builds; case "$*" in *"--file -"*) cat >${folder}/recipe ;; esac ;;
esac`;
    await writeFile(join(folder, 'docker'), script, { mode: 0o755 });
    const env = { ...process.env, PATH: `${folder}:${process.env['PATH'] ?? ''}` };
    await run(new URL('build.sh', FOLDER).pathname, options, { env });
    const written = (name: string) => readFile(join(folder, name), 'utf8').catch(() => '');
    return { builds: await written('builds'), recipe: await written('recipe') };
  }

  it('does nothing where it is of these sources', async () => {
    expect((await buildWith('ours')).builds).toBe('');
  });

  it('anew takes nothing that was built before, and Debian’s updates', async () => {
    const { builds, recipe } = await buildWith('--fresh', 'ours');
    expect(builds).toMatch(/^build .*--tag ours --no-cache --file - \.\n$/);
    expect(recipe).toContain('RUN apt-get update -qq && apt-get upgrade -y -qq && sh /opt');
    expect(recipe).toContain('LABEL org.turnkeeper.sandbox=');
  });
});

describe('the sandbox image of this engine', () => {
  const host = useDocker();

  it('is made of the sources as they are here: if not, docker/sandbox/build.sh', async () => {
    const { Config } = await host.docker.getImage(dockerSettings().image).inspect();
    expect(Config.Labels['org.turnkeeper.sandbox.content']).toBe(await contentOf());
  });

  it('is not built again while it is up to date', async () => {
    const { dockerHost, image } = dockerSettings();
    const before = await host.docker.getImage(image).inspect();
    const env = { ...process.env, DOCKER_HOST: dockerHost };
    const script = new URL('build.sh', FOLDER).pathname;
    const { stdout } = await run(script, ['--from-debian', image], { env });
    expect(stdout).toContain('is up to date');
    expect((await host.docker.getImage(image).inspect()).Id).toBe(before.Id);
  });
});
