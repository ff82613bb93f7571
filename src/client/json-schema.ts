import { TurnkeeperError } from '../contracts/errors.ts';
import type { JsonObject } from '../contracts/json.ts';
import { describeError } from '../contracts/thrown.ts';
import type { SchemaErrors } from '../contracts/tools.ts';
import { compileSchema } from '../json-schema/compile.ts';

/** Refuses what is not JSON Schema: draft 2020-12, or draft 7 where `$schema` says so. References are never fetched. */
export function checkJsonSchema(schema: JsonObject, path: string): void {
  try {
    compileSchema(schema);
  } catch (error) {
    throw new TurnkeeperError(
      'invalid_schema',
      `${path} is not a usable JSON Schema: ${describeError(error)}.`,
      { field: path },
      error,
    );
  }
}

/** What of the value does not fit the schema, a line each; null when it fits. */
export function mistakesIn(value: JsonObject, schema: JsonObject): SchemaErrors {
  try {
    return compileSchema(schema)(value);
  } catch (error) {
    return [`/ cannot be checked, for the schema is not usable: ${describeError(error)}`];
  }
}
