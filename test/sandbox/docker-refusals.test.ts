import { describe, expect, it } from 'vitest';
import { dockerSandbox } from '../../src/sandbox/docker.ts';
import { DEFAULT_LIMITS } from '../../src/sandbox/limits.ts';
import {
  dockerSettings,
  imageWithSupervisor,
  requestOf,
  runAndDiscard,
  UNSTOPPED,
  useDocker,
} from './docker-fixtures.ts';

/** Less than any engine takes. */
const LITTLE_MEMORY = 1_048_576;

describe('a Docker engine that says no to a running worker', () => {
  const host = useDocker();
  const settings = () => ({ ...dockerSettings(), runtime: null, limits: DEFAULT_LIMITS });

  it('is told from code that fails: it is refused for good, in the engine’s words', async () => {
    const limits = { ...DEFAULT_LIMITS, memoryBytes: LITTLE_MEMORY };
    const sandbox = await dockerSandbox({ ...settings(), limits });
    const running = sandbox.run(requestOf('bash', 'true'), UNSTOPPED);
    const refusal = { name: 'SandboxUnavailable', reason: 'engine_refused', retryable: false };
    await expect(running).rejects.toMatchObject(refusal);
    await expect(running).rejects.toThrow(/refuses: .*memory limit/i);
  });

  it('because the image was built again and the old one pruned gets the new one', async () => {
    const image = await imageWithSupervisor(host.docker, 'pass');
    const sandbox = await dockerSandbox({ ...settings(), image });
    await host.docker.getImage(image).remove({ force: true });
    const request = requestOf('bash', 'echo fine');
    const missing = { reason: 'image_missing', retryable: false };
    await expect(sandbox.run(request, UNSTOPPED)).rejects.toMatchObject(missing);
    await host.docker.getImage(settings().image).tag({ repo: image });
    try {
      expect(await runAndDiscard(sandbox, request)).toMatchObject({ stdout: 'fine\n' });
    } finally {
      await host.docker.getImage(image).remove();
    }
  });
});
