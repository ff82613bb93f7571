import type Docker from 'dockerode';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import type { SandboxRequest } from '../../src/contracts/sandbox.ts';
import { containerOptions, DEADLINE_LABEL, KEY_LABEL } from '../../src/sandbox/docker/container.ts';
import { DEFAULT_LIMITS } from '../../src/sandbox/limits.ts';
import { encodeRequest } from '../../src/sandbox/request.ts';
import { SOON } from '../support/talk.ts';
import {
  containersOf,
  dockerSettings,
  requestOf,
  runAndDiscard,
  startsOf,
  UNSTOPPED,
  untilCodeRuns,
  useDocker,
} from './docker-fixtures.ts';

/** Prints something else each time that it runs. */
const MARK = 'import uuid; print(uuid.uuid4())';
const SLOW_MARK = `${MARK}; import time; time.sleep(1.5)`;
const ENDLESS = 'import time; time.sleep(1000)';

describe('a Docker sandbox that is asked again', () => {
  const host = useDocker();
  const run = (request: SandboxRequest) => host.sandbox.run(request, UNSTOPPED);

  /** The container as a worker leaves it that dies after it created it, and after it started it. */
  async function createAsAnother(request: SandboxRequest): Promise<Docker.Container> {
    const { Id: imageId } = await host.docker.getImage(dockerSettings().image).inspect();
    const setup = { imageId, runtime: null, limits: DEFAULT_LIMITS, seccomp: null };
    return host.docker.createContainer(containerOptions(request, setup));
  }

  async function startAsAnother(container: Docker.Container, parts: Uint8Array[]): Promise<void> {
    const input = await container.attach({ stream: true, stdin: true, hijack: true });
    await container.start();
    for (const part of parts) input.write(part);
    await promisify(input.end.bind(input))();
  }

  it('collects what the code came to, and runs nothing', async () => {
    const request = requestOf('python', `open('made', 'w').write('x'); ${MARK}`);
    const first = await run(request);
    expect(await run(request)).toEqual(first);
    expect(first.artifacts).toHaveLength(1);
    expect(await startsOf(host.docker, request.key)).toBe(1);
    await host.sandbox.discard(request.key);
  });

  it('joins a run that is under way: of many at once, one runs the code', async () => {
    const request = requestOf('python', SLOW_MARK);
    const results = await Promise.all([1, 2, 3, 4].map(() => run(request)));
    expect(new Set(results.map(({ stdout }) => stdout)).size).toBe(1);
    expect(results[0]?.stdout).toMatch(/^[0-9a-f-]{36}\n$/);
    expect(await startsOf(host.docker, request.key)).toBe(1);
    await host.sandbox.discard(request.key);
  });

  it('does not take the result of other code for that of this one', async () => {
    const key = `test-${randomUUID()}`;
    await run(requestOf('python', 'print(1)', { key }));
    expect(await run(requestOf('python', 'print(2)', { key }))).toMatchObject({ stdout: '2\n' });
    await host.sandbox.discard(key);
    expect(await containersOf(host.docker, key)).toEqual([]);
  });

  it('runs again what was discarded', async () => {
    const request = requestOf('python', MARK);
    const first = await runAndDiscard(host.sandbox, request);
    const second = await runAndDiscard(host.sandbox, request);
    expect(second.stdout).not.toBe(first.stdout);
    await expect(host.sandbox.discard(request.key)).resolves.toBeUndefined();
  });

  it('takes over from a worker that died before it started the container', async () => {
    const request = requestOf('python', MARK);
    await createAsAnother(request);
    expect(await runAndDiscard(host.sandbox, request)).toMatchObject({ exitCode: 0 });
    expect(await startsOf(host.docker, request.key)).toBe(1);
  });

  it('takes over from a worker that died before the request was over', async () => {
    const request = requestOf('python', MARK);
    const [length = Buffer.alloc(0)] = encodeRequest(request, DEFAULT_LIMITS);
    await startAsAnother(await createAsAnother(request), [length]);
    expect(await runAndDiscard(host.sandbox, request)).toMatchObject({ exitCode: 0 });
    expect(await startsOf(host.docker, request.key)).toBe(2);
  });

  it('runs again what was ended from outside', async () => {
    const request = requestOf('python', SLOW_MARK);
    const running = runAndDiscard(host.sandbox, request);
    const { Id } = await untilCodeRuns(host.docker, request.key);
    await host.docker.getContainer(Id).kill();
    expect(await running).toMatchObject({ exitCode: 0, limit: null });
    expect(await startsOf(host.docker, request.key)).toBe(2);
  });

  it('runs again what was removed', async () => {
    const request = requestOf('python', SLOW_MARK);
    const running = runAndDiscard(host.sandbox, request);
    const { Id } = await untilCodeRuns(host.docker, request.key);
    await host.docker.getContainer(Id).remove({ force: true });
    expect(await running).toMatchObject({ exitCode: 0, limit: null });
  });

  it('holds the time limit though nobody waits any more', async () => {
    const request = requestOf('python', ENDLESS, { timeoutMs: 1_000 });
    const container = await createAsAnother(request);
    await startAsAnother(container, encodeRequest(request, DEFAULT_LIMITS));
    await vi.waitFor(async () => {
      expect((await container.inspect()).State.Status).toBe('exited');
    }, SOON);
    const result = await runAndDiscard(host.sandbox, request);
    expect(result).toMatchObject({ limit: 'time', exitCode: null });
  });

  it('stops the code once it is told to, and removes what is left of it', async () => {
    const request = requestOf('python', ENDLESS, { timeoutMs: 600_000 });
    const stop = new AbortController();
    const running = host.sandbox.run(request, stop);
    const ended = expect(running).rejects.toThrow('no longer wanted');
    await untilCodeRuns(host.docker, request.key);
    stop.abort(new Error('no longer wanted'));
    await ended;
    expect(await containersOf(host.docker, request.key)).toEqual([]);
  });

  it('starts nothing once it was told to stop', async () => {
    const request = requestOf('python', MARK);
    const running = host.sandbox.run(request, { signal: AbortSignal.abort(new Error('stopped')) });
    await expect(running).rejects.toThrow('stopped');
    expect(await startsOf(host.docker, request.key)).toBe(0);
  });
});

describe('reaping', () => {
  const host = useDocker();

  it('removes what is long past its deadline, and leaves the others alone', async () => {
    const { docker } = host;
    const { image } = dockerSettings();
    const key = `test-${randomUUID()}`;
    const create = (deadline: number) =>
      docker.createContainer({
        Image: image,
        Labels: { [KEY_LABEL]: key, [DEADLINE_LABEL]: String(deadline) },
      });
    const late = await create(Date.now() - 3_600_000);
    const ended = await create(Date.now() - 1_000);
    const stranger = await docker.createContainer({ Image: image });
    const living = requestOf('python', SLOW_MARK);
    const running = runAndDiscard(host.sandbox, living);
    try {
      // How many is not known: workers of other tests reap here too.
      await host.sandbox.reap();
      await expect(late.inspect()).rejects.toMatchObject({ statusCode: 404 });
      await expect(ended.inspect()).resolves.toMatchObject({ Id: ended.id });
      await expect(stranger.inspect()).resolves.toMatchObject({ Id: stranger.id });
      expect(await running).toMatchObject({ exitCode: 0 });
      expect(await startsOf(docker, living.key)).toBe(1);
    } finally {
      await stranger.remove();
      await host.sandbox.discard(key);
    }
  });
});
