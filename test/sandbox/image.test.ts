import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { IMAGE_VERSION } from '../../src/sandbox/docker/image.ts';
import { dockerSettings, useDocker } from './docker-fixtures.ts';

const FOLDER = new URL('../../docker/sandbox/', import.meta.url);
const run = promisify(execFile);
const read = (name: string) => readFile(new URL(name, FOLDER), 'utf8');

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

describe('the sandbox image of this engine', () => {
  const host = useDocker();

  it('is made of the sources as they are here: if not, docker/sandbox/build.sh', async () => {
    const hash = createHash('sha256');
    for (const name of ['Dockerfile', 'packages', 'install.sh', 'supervisor.py'])
      hash.update(await read(name));
    const { Config } = await host.docker.getImage(dockerSettings().image).inspect();
    const content = hash.digest('hex').slice(0, 16);
    expect(Config.Labels['org.turnkeeper.sandbox.content']).toBe(content);
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
