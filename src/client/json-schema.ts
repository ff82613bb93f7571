import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { TurnkeeperError } from '../contracts/errors.ts';
import type { JsonObject } from '../contracts/json.ts';

/** Refuses what is not JSON Schema: draft 2020-12, or draft 7 where `$schema` says so. References are never fetched. */
export function checkJsonSchema(schema: JsonObject, path: string): void {
  const { $schema } = schema;
  const Draft = typeof $schema === 'string' && $schema.includes('draft-07') ? Ajv : Ajv2020;
  try {
    // A new instance each time: compiled schemas stay in memory, and may claim each other's $id.
    addFormats.default(new Draft({ strict: false, logger: false })).compile(schema);
  } catch (error) {
    const mistake = error instanceof Error ? error.message : String(error);
    throw new TurnkeeperError(
      'invalid_schema',
      `${path} is not a usable JSON Schema: ${mistake}.`,
      { field: path },
      error,
    );
  }
}
