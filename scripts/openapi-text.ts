import { readFile } from 'node:fs/promises';
import { format } from 'prettier';
import { DEFAULT_LIMITS } from '../src/conversation/limits.ts';
import { createGateway } from '../src/gateway/app.ts';

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** The OpenAPI document of the gateway, as docs/openapi.json has it. */
export async function openapiText(): Promise<string> {
  const text = await readFile(new URL('../package.json', import.meta.url), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  const app = await createGateway({
    clientFor: () => {
      throw new Error('Nobody asks this gateway for anything.');
    },
    limits: DEFAULT_LIMITS,
    maxStreams: 1,
    info: { version, temporalUi: null, namespace: 'default', runsOn: [] },
    logger: silent,
  });
  try {
    return await format(JSON.stringify(app.swagger()), { parser: 'json', printWidth: 100 });
  } finally {
    await app.close();
  }
}
