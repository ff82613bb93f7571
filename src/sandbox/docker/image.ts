import { SandboxUnavailable } from '../../contracts/sandbox.ts';
import { statusOf, wordsOf, type Engine } from './engine.ts';

/** Names the protocol that the supervisor inside speaks: docker/sandbox/Dockerfile has the same number. */
export const IMAGE_VERSION = '1';
const IMAGE_LABEL = 'org.turnkeeper.sandbox';
const BUILD_COMMAND = 'docker/sandbox/build.sh';

/**
 * The id of the image that a tag, digest or id names now. Workers run that id, whatever the tag comes to mean later.
 * @throws SandboxUnavailable `image_missing`, `image_unknown`
 */
export async function resolveImage(engine: Engine, name: string): Promise<string> {
  const { Id, Config } = await engine
    .ask(() => engine.docker.getImage(name).inspect())
    .catch((error: unknown) => {
      throw statusOf(error) === null ? error : imageMissing(engine, name, wordsOf(error));
    });
  const labels = Config.Labels as Record<string, string | undefined> | null;
  const version = labels?.[IMAGE_LABEL];
  if (version !== IMAGE_VERSION) throw imageUnknown(engine, name, version);
  return Id;
}

export function imageMissing({ host }: Engine, name: string, words: string): SandboxUnavailable {
  const message = `The Docker engine at ${host} has no image ${name}: ${words}. Build it with: ${BUILD_COMMAND}`;
  return new SandboxUnavailable('image_missing', message);
}

function imageUnknown({ host }: Engine, name: string, version: string | undefined) {
  const found = version === undefined ? `has no label ${IMAGE_LABEL}` : `is of version ${version}`;
  const message = `The image ${name} of the Docker engine at ${host} ${found}; this release runs version ${IMAGE_VERSION}. Build it with: ${BUILD_COMMAND}`;
  return new SandboxUnavailable('image_unknown', message);
}
