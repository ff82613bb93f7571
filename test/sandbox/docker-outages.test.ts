import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Sandbox } from '../../src/contracts/sandbox.ts';
import { dockerSandbox } from '../../src/sandbox/docker.ts';
import { DEFAULT_LIMITS } from '../../src/sandbox/limits.ts';
import { SOON } from '../support/talk.ts';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
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

const MARK = 'import time, uuid; print(uuid.uuid4()); time.sleep(2)';
const LOST = { name: 'SandboxUnavailable', reason: 'engine_lost', retryable: true };

/** A port of this host that leads to the engine. */
async function openPort(): Promise<{ address: string; close(): void }> {
  const { hostname, port, pathname } = new URL(dockerSettings().dockerHost);
  const server = createServer((client) => {
    const engine = hostname === '' ? connect(pathname) : connect(Number(port), hostname);
    for (const socket of [client, engine]) socket.on('error', () => undefined);
    client.pipe(engine).pipe(client);
    client.on('close', () => engine.destroy());
    engine.on('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { address, close: () => void server.close() };
}

describe('a Docker sandbox whose engine goes away', () => {
  const host = useDocker();
  let port: Awaited<ReturnType<typeof openPort>>;
  let proxy: TcpProxy;
  beforeAll(async () => {
    port = await openPort();
    proxy = await startTcpProxy(port.address);
  });
  afterAll(async () => {
    await proxy.stop();
    port.close();
  });

  function openThroughProxy(): Promise<Sandbox> {
    const { image } = dockerSettings();
    const dockerHost = `tcp://${proxy.address}`;
    return dockerSandbox({ dockerHost, image, runtime: null, limits: DEFAULT_LIMITS });
  }

  it('works over TCP', async () => {
    const sandbox = await openThroughProxy();
    const files = [{ name: 'in', content: Buffer.alloc(1_000_000, 'x') }];
    const request = requestOf('bash', 'wc -c <in', { files });
    expect(await runAndDiscard(sandbox, request)).toMatchObject({ stdout: '1000000\n' });
  });

  it('says so when it cannot be reached, and goes on when it can', async () => {
    const sandbox = await openThroughProxy();
    const request = requestOf('python', 'print(1)');
    proxy.cut();
    await expect(sandbox.run(request, UNSTOPPED)).rejects.toMatchObject(LOST);
    await expect(sandbox.discard(request.key)).rejects.toMatchObject(LOST);
    await expect(sandbox.reap()).rejects.toMatchObject(LOST);
    proxy.restore();
    expect(await runAndDiscard(sandbox, request)).toMatchObject({ stdout: '1\n' });
  });

  it('in mid-run: the code runs on, and its result is collected later', async () => {
    const sandbox = await openThroughProxy();
    const request = requestOf('python', MARK);
    const running = expect(sandbox.run(request, UNSTOPPED)).rejects.toMatchObject(LOST);
    await untilCodeRuns(host.docker, request.key);
    proxy.cut();
    await running;
    proxy.restore();
    expect(await sandbox.run(request, UNSTOPPED)).toMatchObject({ exitCode: 0, limit: null });
    expect(await startsOf(host.docker, request.key)).toBe(1);
    await sandbox.discard(request.key);
  });

  it('while it creates the container, which is then taken over', async () => {
    const sandbox = await openThroughProxy();
    const request = requestOf('python', MARK);
    proxy.loseAnswers();
    const running = expect(sandbox.run(request, UNSTOPPED)).rejects.toMatchObject(LOST);
    await vi.waitFor(async () => {
      expect(await containersOf(host.docker, request.key)).toHaveLength(1);
    }, SOON);
    proxy.cut();
    await running;
    proxy.restore();
    expect(await runAndDiscard(sandbox, request)).toMatchObject({ exitCode: 0 });
    expect(await startsOf(host.docker, request.key)).toBe(1);
  });
});
