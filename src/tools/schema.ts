import { TurnkeeperError } from '../contracts/errors.ts';
import type { JsonObject } from '../contracts/json.ts';
import { describeError } from '../contracts/thrown.ts';
import { compileSchema, type SchemaCheck } from '../json-schema/compile.ts';

/** @throws TurnkeeperError `invalid_schema` */
export function schemaOf(
  tool: string,
  field: 'parameters' | 'output',
  schema: JsonObject,
): SchemaCheck {
  const mistake = shapeMistake(field, schema);
  if (mistake) throw invalidSchema(tool, field, mistake);
  try {
    return compileSchema(schema);
  } catch (error) {
    throw invalidSchema(tool, field, describeError(error), error);
  }
}

function shapeMistake(field: string, schema: unknown): string | null {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    return 'it is not an object';
  }
  const isObjectSchema = 'type' in schema && schema.type === 'object';
  return field === 'parameters' && !isObjectSchema ? 'its type must be "object"' : null;
}

function invalidSchema(
  tool: string,
  field: string,
  mistake: string,
  cause?: unknown,
): TurnkeeperError {
  return new TurnkeeperError(
    'invalid_schema',
    `The ${field} of tool ${tool} are not a usable JSON Schema: ${mistake}.`,
    { tool, field },
    cause,
  );
}
