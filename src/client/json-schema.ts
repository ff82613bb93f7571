import { Ajv, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { TurnkeeperError } from '../contracts/errors.ts';
import type { JsonObject } from '../contracts/json.ts';

/** Refuses what is not JSON Schema: draft 2020-12, or draft 7 where `$schema` says so. References are never fetched. */
export function checkJsonSchema(schema: JsonObject, path: string): void {
  try {
    compile(schema);
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

const MAX_MISTAKES = 20;

/** What of the value does not fit the schema, a line each; null when it fits. */
export function mistakesIn(value: JsonObject, schema: JsonObject): string[] | null {
  const validate = compile(schema);
  if (validate(value)) return null;
  const lines = (validate.errors ?? []).map(
    ({ instancePath, message, keyword }) => `${instancePath || '/'} ${message ?? keyword}`,
  );
  return lines.slice(0, MAX_MISTAKES);
}

function compile(schema: JsonObject): ValidateFunction {
  const { $schema } = schema;
  const Draft = typeof $schema === 'string' && $schema.includes('draft-07') ? Ajv : Ajv2020;
  const options = { strict: false, allErrors: true, ownProperties: true, logger: false } as const;
  // A new instance each time: compiled schemas stay in memory, and may claim each other's $id.
  return addFormats.default(new Draft(options)).compile(schema);
}
