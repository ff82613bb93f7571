import type Docker from 'dockerode';
import { describe, expect, it, vi } from 'vitest';
import type { SandboxLanguage } from '../../src/contracts/sandbox.ts';
import { DEFAULT_LIMITS } from '../../src/sandbox/limits.ts';
import { containersOf, requestOf, runAndDiscard, UNSTOPPED, useDocker } from './docker-fixtures.ts';

const SECRET = 'not-for-the-inside';
const { memoryBytes, pids, diskBytes } = DEFAULT_LIMITS;

describe('the container that code runs in', () => {
  const host = useDocker();

  const runHere = (language: SandboxLanguage, code: string) =>
    runAndDiscard(host.sandbox, requestOf(language, code));

  async function inspectAfter(code: string): Promise<Docker.ContainerInspectInfo> {
    const request = requestOf('bash', code);
    await host.sandbox.run(request, UNSTOPPED);
    const [container] = await containersOf(host.docker, request.key);
    const info = await host.docker.getContainer(container?.Id ?? '').inspect();
    await host.sandbox.discard(request.key);
    return info;
  }

  it('has every wall that the engine can build', async () => {
    const { Config, HostConfig, NetworkSettings, Mounts, Image } = await inspectAfter('true');
    expect(Config).toMatchObject({ User: '10001:10001', Tty: false, Hostname: 'sandbox' });
    expect(host.sandbox.description).toContain(Image.slice(0, 19));
    expect(HostConfig).toMatchObject({
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      Privileged: false,
      CapAdd: null,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      IpcMode: 'private',
      PidMode: '',
      Memory: memoryBytes,
      MemorySwap: memoryBytes,
      PidsLimit: pids,
      NanoCpus: 1e9,
      AutoRemove: false,
      Binds: null,
      Devices: null,
      RestartPolicy: { Name: 'no' },
      Ulimits: [
        { Name: 'nofile', Soft: 1_024, Hard: 1_024 },
        { Name: 'core', Soft: 0, Hard: 0 },
        { Name: 'fsize', Soft: diskBytes, Hard: diskBytes },
      ],
    });
    expect(HostConfig.LogConfig?.Type).toBe('json-file');
    expect(HostConfig.LogConfig?.Config).toMatchObject({ 'max-file': '1' });
    expect(Mounts).toEqual([]);
    expect(Object.keys(NetworkSettings.Networks)).toEqual(['none']);
  });

  it('has one writable place, and what else can be written counts against the same limit', async () => {
    const { HostConfig } = await inspectAfter('true');
    const { Tmpfs = {}, ShmSize = 0 } = HostConfig;
    expect(Object.keys(Tmpfs)).toEqual(['/sandbox']);
    const options = Tmpfs['/sandbox']?.split(',') ?? [];
    expect(options).toEqual(expect.arrayContaining(['nosuid', 'nodev', 'mode=0700']));
    const size = Number(options.find((option) => option.startsWith('size='))?.slice(5));
    expect(size + ShmSize).toBe(diskBytes);
  });

  it('gets nothing of the environment that the worker has', async () => {
    vi.stubEnv('OPENAI_API_KEY', SECRET);
    vi.stubEnv('DATABASE_URL', SECRET);
    const { stdout } = await runHere('bash', 'env; cat /proc/*/environ');
    vi.unstubAllEnvs();
    expect(stdout).toContain('PATH=');
    expect(stdout).not.toContain(SECRET);
    const names = stdout.split(/[\n\0]/).map((line) => line.split('=')[0]);
    for (const name of ['DOCKER_HOST', 'DATABASE_URL', 'TEMPORAL_ADDRESS', 'NODE_ENV'])
      expect(names).not.toContain(name);
    const { Config } = await inspectAfter('true');
    expect(JSON.stringify(Config.Env)).not.toContain(SECRET);
  });

  it('has no socket of the engine in it, and no other', async () => {
    const code =
      'find / -xdev -type s 2>/dev/null; find /sandbox /dev /run -type s 2>/dev/null; ls -d /var/run/docker.sock';
    const { stdout, exitCode } = await runHere('bash', code);
    expect(stdout).toBe('');
    expect(exitCode).not.toBe(0);
  });

  it("does not show the host's name servers", async () => {
    const { stdout } = await runHere('bash', 'cat /etc/resolv.conf; hostname');
    expect(stdout).toBe('nameserver 127.0.0.1\nsandbox\n');
  });

  it('keeps its supervisor out of reach of the code', async () => {
    const code = `
import ctypes, os
for number in range(1, 65): os.kill(1, number)
for path in ('fd', 'fd/1', 'mem', 'environ', 'maps'):
    try: open('/proc/1/' + path, 'rb').read(1); print('opened', path)
    except OSError: pass
PTRACE_ATTACH = 16
print('ptrace', ctypes.CDLL(None).ptrace(PTRACE_ATTACH, 1, 0, 0))`;
    const result = await runHere('python', code);
    expect(result).toMatchObject({ stdout: 'ptrace -1\n', exitCode: 0, limit: null });
  });

  it('lets code open no socket that a network namespace does not cover', async () => {
    const code = `
import socket
for family in (1, 2, 10): socket.socket(family).close()
for family in (17, 38, 40):
    try: socket.socket(family); print('opened', family)
    except OSError as error: print(error.errno)`;
    const { stdout, stderr } = await runHere('python', code);
    expect({ stdout, stderr }).toEqual({ stdout: '97\n97\n97\n', stderr: '' });
  });
});
