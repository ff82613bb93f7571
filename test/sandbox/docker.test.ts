import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/sandbox/limits.ts';
import { dockerSandbox, type DockerSandboxOptions } from '../../src/sandbox/docker.ts';
import { dockerSettings, importEmptyImage, useDocker } from './docker-fixtures.ts';

const BUILD = 'docker/sandbox/build.sh';

function open(options: Partial<DockerSandboxOptions>) {
  const settings = { ...dockerSettings(), runtime: null, limits: DEFAULT_LIMITS };
  return dockerSandbox({ ...settings, ...options });
}

describe('opening a Docker sandbox without an engine', () => {
  it.each([
    ['a socket that is not there', 'unix:///nowhere/docker.sock'],
    ['a port where nobody listens', 'tcp://127.0.0.1:1'],
    ['an address of another kind', 'ssh://somewhere'],
    ['no address', 'docker'],
  ])('says where it looked: %s', async (_name, dockerHost) => {
    const message = expect.stringContaining(dockerHost) as string;
    const expected = { reason: 'engine_missing', retryable: false, message };
    await expect(open({ dockerHost })).rejects.toMatchObject(expected);
  });
});

describe('opening a Docker sandbox with an engine that does not let us in', () => {
  const servers: Server[] = [];
  afterEach(() => servers.splice(0).forEach((server) => server.close()));

  async function listen(where: string | 0, answer: string): Promise<Server> {
    const server = createServer((socket) => socket.end(answer));
    servers.push(server);
    server.listen(where);
    await once(server, 'listening');
    return server;
  }

  it('says whose group to join when it may not use the socket', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'turnkeeper-socket-'));
    const socket = join(folder, 'docker.sock');
    await listen(socket, '');
    await chmod(socket, 0);
    await chmod(folder, 0o711);
    const settings = { ...dockerSettings(), runtime: null, limits: DEFAULT_LIMITS };
    const isRoot = process.getuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534);
    try {
      const opening = dockerSandbox({ ...settings, dockerHost: `unix://${socket}` });
      await expect(opening).rejects.toThrow(/EACCES.*group docker/);
    } finally {
      if (isRoot) process.seteuid?.(0);
      await rm(folder, { recursive: true });
    }
  });

  it('says that TLS is not supported when the engine wants it', async () => {
    const words = 'Client sent an HTTP request to an HTTPS server.';
    const server = await listen(0, `HTTP/1.0 400 Bad Request\r\n\r\n${words}\n`);
    const { port } = server.address() as AddressInfo;
    const failure = open({ dockerHost: `tcp://127.0.0.1:${port}` });
    await expect(failure).rejects.toMatchObject({ reason: 'engine_missing' });
    await expect(failure).rejects.toThrow(/HTTPS server.*TLS are not supported/);
  });
});

describe('opening a Docker sandbox', () => {
  const host = useDocker();
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it('tells engine and image', async () => {
    const sandbox = await open({});
    expect(sandbox).toMatchObject({ kind: 'docker', limits: DEFAULT_LIMITS });
    expect(sandbox.description).toMatch(/^Docker \d.* at \S+, image \S+ \(sha256:[0-9a-f]{12}\)$/);
    await sandbox.close();
  });

  it('takes the engine it is given, not the one of the environment', async () => {
    const given = dockerSettings();
    vi.stubEnv('DOCKER_HOST', 'tcp://127.0.0.1:1');
    vi.stubEnv('DOCKER_TLS_VERIFY', '1');
    await expect(open(given)).resolves.toMatchObject({ kind: 'docker' });
  });

  it('takes an image by its id', async () => {
    const { Id } = await host.docker.getImage(dockerSettings().image).inspect();
    expect((await open({ image: Id })).description).toContain(Id.slice(0, 19));
  });

  it('says how to build an image that is missing', async () => {
    const message = expect.stringContaining(BUILD) as string;
    const expected = { reason: 'image_missing', retryable: false, message };
    await expect(open({ image: 'no-such-image' })).rejects.toMatchObject(expected);
  });

  it('tells what the engine says of a name that no image can have', async () => {
    const opening = open({ image: 'Foo' });
    await expect(opening).rejects.toMatchObject({ reason: 'image_missing', retryable: false });
    await expect(opening).rejects.toThrow(/no image Foo: .*invalid reference format/);
  });

  it.each([
    ['is not ours', undefined, 'has no label org.turnkeeper.sandbox'],
    ['is of another version', 'LABEL org.turnkeeper.sandbox=0', 'is of version 0'],
  ])('refuses an image that %s', async (_name, changes, mistake) => {
    const image = `turnkeeper-test-${process.pid}`;
    await importEmptyImage(host.docker, image, changes);
    try {
      const opening = open({ image });
      await expect(opening).rejects.toMatchObject({ reason: 'image_unknown', retryable: false });
      await expect(opening).rejects.toThrow(mistake);
      await expect(opening).rejects.toThrow(BUILD);
    } finally {
      await host.docker.getImage(image).remove();
    }
  });

  it('refuses a runtime that the engine does not have', async () => {
    const opening = open({ runtime: 'no-such-runtime' });
    await expect(opening).rejects.toMatchObject({ reason: 'program_missing' });
    await expect(opening).rejects.toThrow('no-such-runtime');
  });
});
