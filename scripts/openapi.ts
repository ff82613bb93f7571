/** Writes docs/openapi.json: `npm run openapi`. */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { openapiText } from './openapi-text.ts';

await writeFile(
  fileURLToPath(new URL('../docs/openapi.json', import.meta.url)),
  await openapiText(),
);
