import type Docker from 'dockerode';
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { beforeEach, expect, vi } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import type {
  Sandbox,
  SandboxLanguage,
  SandboxRequest,
  SandboxResult,
} from '../../src/contracts/sandbox.ts';
import { KEY_LABEL } from '../../src/sandbox/docker/container.ts';
import { openEngine } from '../../src/sandbox/docker/engine.ts';
import { useSandbox } from '../support/sandboxes.ts';
import { SOON } from '../support/talk.ts';

/** Where this host's engine is, and the image: as a worker reads it from the environment. */
export function dockerSettings(): { dockerHost: string; image: string } {
  const { sandbox } = loadConfig({ ...process.env, DATABASE_URL: 'postgres://none' });
  return { dockerHost: sandbox.dockerHost, image: sandbox.image };
}

/** This host’s engine itself. */
export async function openDocker(): Promise<Docker> {
  return (await openEngine(dockerSettings().dockerHost, null)).engine.docker;
}

/** For the tests of a suite: the sandbox, and the engine itself to look at what the sandbox made of it. */
export function useDocker(): { readonly sandbox: Sandbox; readonly docker: Docker } {
  const host = useSandbox('docker');
  let docker: Docker | undefined;
  // After the hook that skips where the engine is missing.
  beforeEach(async () => {
    docker ??= await openDocker();
  });
  return {
    get sandbox() {
      return host.sandbox;
    },
    get docker() {
      if (!docker) throw new Error('The engine is there only while tests run.');
      return docker;
    },
  };
}

export function requestOf(
  language: SandboxLanguage,
  code: string,
  more: Partial<SandboxRequest> = {},
): SandboxRequest {
  return { key: `test-${randomUUID()}`, language, code, files: [], timeoutMs: 20_000, ...more };
}

/** For runs that nobody stops. */
export const UNSTOPPED = {
  get signal() {
    return new AbortController().signal;
  },
};

/** Runs a request and leaves nothing behind. */
export async function runAndDiscard(
  sandbox: Sandbox,
  request: SandboxRequest,
): Promise<SandboxResult> {
  try {
    return await sandbox.run(request, UNSTOPPED);
  } finally {
    await sandbox.discard(request.key);
  }
}

export function containersOf(docker: Docker, key: string): Promise<Docker.ContainerInfo[]> {
  return docker.listContainers({ all: true, filters: { label: [`${KEY_LABEL}=${key}`] } });
}

/** How many containers were started for a key, whatever became of them. */
export async function startsOf(docker: Docker, key: string): Promise<number> {
  const filters = { event: ['start'], label: [`${KEY_LABEL}=${key}`] };
  const until = Math.ceil(Date.now() / 1000);
  const events = await docker.getEvents({ since: 1, until, filters });
  let lines = '';
  for await (const chunk of events) lines += String(chunk);
  return lines.split('\n').filter((line) => line !== '').length;
}

/** Waits until Python code is on its way in the container of that key. */
export function untilCodeRuns(docker: Docker, key: string): Promise<Docker.ContainerInfo> {
  return vi.waitFor(async () => {
    const [container] = await containersOf(docker, key);
    if (!container) throw new Error('there is no container yet');
    const { Processes } = (await docker.getContainer(container.Id).top()) as Processes;
    expect(Processes.flat().join(' ')).toContain('main.py');
    return container;
  }, SOON);
}

interface Processes {
  /** A row of columns for each. */
  Processes: string[][];
}

/** An image with nothing in it. */
export async function importEmptyImage(
  docker: Docker,
  repo: string,
  changes: string | undefined,
): Promise<void> {
  const emptyArchive = Readable.from([Buffer.alloc(1_024)]);
  const progress = await docker.importImage(emptyArchive, {
    repo,
    tag: 'latest',
    ...(changes && { changes }),
  });
  await finished(progress.resume());
}

/** An image that passes for ours and runs this Python program instead of the supervisor. */
export async function imageWithSupervisor(docker: Docker, program: string): Promise<string> {
  const container = await docker.createContainer({ Image: dockerSettings().image });
  try {
    const archive = pack();
    archive.entry({ name: 'supervisor.py' }, program);
    archive.finalize();
    await container.putArchive(Readable.from(archive), { path: '/opt/turnkeeper' });
    const repo = `turnkeeper-test-${randomUUID()}`;
    await container.commit({ repo, tag: 'latest' });
    return repo;
  } finally {
    await container.remove();
  }
}
