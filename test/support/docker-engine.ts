import Docker from 'dockerode';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { promisify } from 'node:util';
import { expect, vi } from 'vitest';
import { startGuarded, type GuardedProcess } from '../../src/dev/guarded-process.ts';
import type { Part } from './require-part.ts';
import { SOON } from './talk.ts';

const DOCKERD = '/usr/sbin/dockerd';
const CONTAINERD = '/usr/bin/containerd';

/**
 * A Docker engine of a test's own, to be killed. Its containerd is a process beside it, as on a host where both are
 * services, and lives on. Everything that they keep is in a folder of its own.
 */
export interface DockerEngine {
  dockerHost: string;
  docker: Docker;
  /** SIGKILL by default; SIGSTOP and SIGCONT to freeze it and let it go on. */
  kill(signal?: NodeJS.Signals): void;
  /** After it was killed. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** What it takes to start one. */
export function ownEnginePart(): Part {
  const isRoot = process.getuid?.() === 0;
  const missing = !isRoot
    ? 'it takes root to start one'
    : existsSync(DOCKERD) && existsSync(CONTAINERD)
      ? null
      : `there is no ${DOCKERD}`;
  return { name: 'Docker engine of its own', missing, command: 'apt-get install -y docker.io' };
}

/** Starts an engine that has the image of another one. */
export async function startDockerEngine(from: Docker, image: string): Promise<DockerEngine> {
  const folder = await mkdtemp(join(tmpdir(), 'turnkeeper-docker-'));
  const docker = new Docker({
    socketPath: join(folder, 'docker.sock'),
    headers: { Connection: 'close' },
  });
  const containerd = await startContainerd(folder);
  let dockerd = await startDockerd(folder, docker);
  await copyImage(from, docker, image);
  return {
    dockerHost: `unix://${join(folder, 'docker.sock')}`,
    docker,
    kill: (signal = 'SIGKILL') => dockerd.kill(signal),
    async restart() {
      await dockerd.exited;
      dockerd = await startDockerd(folder, docker);
    },
    async stop() {
      if (!dockerd.alive()) dockerd = await startDockerd(folder, docker);
      dockerd.kill('SIGCONT');
      await removeContainers(docker);
      await dockerd.stop();
      await containerd.stop();
      // An engine that was killed leaves its data folder mounted onto itself.
      await promisify(execFile)('umount', [join(folder, 'data')]).catch(() => undefined);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function startContainerd(folder: string): Promise<GuardedProcess> {
  const config = join(folder, 'containerd.toml');
  const lines = [
    'version = 2',
    'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
    `root = "${join(folder, 'containerd')}"`,
    `state = "${join(folder, 'containerd-state')}"`,
    '[grpc]',
    `address = "${join(folder, 'containerd.sock')}"`,
  ];
  await writeFile(config, lines.join('\n'));
  return startGuarded({ name: 'containerd', command: CONTAINERD, args: ['--config', config] });
}

async function startDockerd(folder: string, docker: Docker): Promise<GuardedProcess> {
  const options = {
    host: `unix://${join(folder, 'docker.sock')}`,
    containerd: join(folder, 'containerd.sock'),
    'data-root': join(folder, 'data'),
    'exec-root': join(folder, 'exec'),
    pidfile: join(folder, 'pid'),
    // Not to touch the host's network, or another engine's.
    bridge: 'none',
    iptables: 'false',
    'ip-masq': 'false',
    'ip-forward': 'false',
  };
  const dockerd = await startGuarded({
    name: 'The Docker engine',
    command: DOCKERD,
    args: Object.entries(options).map(([name, value]) => `--${name}=${value}`),
  });
  await vi.waitFor(async () => {
    if (!dockerd.alive())
      throw new Error(`The Docker engine ended. It wrote:\n${dockerd.output()}`);
    expect(String(await docker.ping())).toBe('OK');
  }, SOON);
  return dockerd;
}

async function copyImage(from: Docker, to: Docker, image: string): Promise<void> {
  const archive = await from.getImage(image).get();
  const progress = await to.loadImage(archive);
  await finished(progress.resume());
}

async function removeContainers(docker: Docker): Promise<void> {
  const containers = await docker.listContainers({ all: true });
  await Promise.all(containers.map(({ Id }) => docker.getContainer(Id).remove({ force: true })));
}
