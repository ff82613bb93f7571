import { afterAll, beforeAll, beforeEach } from 'vitest';
import { dockerSettings, openDocker } from '../sandbox/docker-fixtures.ts';
import { ownEnginePart, startDockerEngine, type DockerEngine } from './docker-engine.ts';
import { requirePart } from './require-part.ts';
import { useSandbox } from './sandboxes.ts';

const START_TIMEOUT_MS = 300_000;
const STOP_TIMEOUT_MS = 60_000;

/** An engine that the tests of a file may kill, with this host's image of the sandbox; they are skipped without. */
export function useDockerEngine(): {
  readonly current: DockerEngine;
  readonly image: string;
  /** Settings of a worker that runs code there. */
  env(): Record<string, string>;
} {
  const host = useSandbox('docker');
  const { image } = dockerSettings();
  let engine: DockerEngine | undefined;
  beforeAll(async () => {
    const isMissing =
      ownEnginePart().missing !== null || host.env()['TURNKEEPER_SANDBOX'] === 'none';
    if (!isMissing) engine = await startDockerEngine(await openDocker(), image);
  }, START_TIMEOUT_MS);
  afterAll(() => engine?.stop(), STOP_TIMEOUT_MS);
  beforeEach((context) => requirePart(context, ownEnginePart()));
  return {
    image,
    env: () => (engine ? { ...host.env(), DOCKER_HOST: engine.dockerHost } : host.env()),
    get current() {
      if (!engine) throw new Error('The engine is there only while tests run.');
      return engine;
    },
  };
}
