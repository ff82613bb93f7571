import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { TurnkeeperError } from '../contracts/errors.ts';
import type { Json, JsonObject } from '../contracts/json.ts';
import type { SchemaErrors } from '../contracts/tools.ts';

export type SchemaCheck = (value: Json) => SchemaErrors;

/** More lines than this help nobody, and a long array can have one mistake an element. */
const MAX_LINES = 20;
const MAX_LINE_LENGTH = 300;

const OPTIONS: Options = {
  strict: false,
  allErrors: true,
  logger: false,
  // Else a missing `constructor` or `toString` counts as given.
  ownProperties: true,
};

/** Compiles JSON Schemas of draft 2020-12, or of draft 7 where `$schema` says so. References are never fetched. */
export function createSchemaCompiler() {
  // What it takes to check schemas is costly to compile, and shared.
  const draft2020 = new Ajv2020(OPTIONS);
  const draft7 = new Ajv(OPTIONS);
  return (tool: string, field: 'parameters' | 'output', schema: JsonObject): SchemaCheck => {
    const mistake = shapeMistake(field, schema);
    if (mistake) throw invalidSchema(tool, field, mistake);
    try {
      const seven = isDraft7(schema);
      void (seven ? draft7 : draft2020).validateSchema(schema, true);
      return schemaCheck(compileAlone(seven ? Ajv : Ajv2020, schema));
    } catch (error) {
      throw invalidSchema(
        tool,
        field,
        error instanceof Error ? error.message : String(error),
        error,
      );
    }
  };
}

/** In an instance of its own, for tools may use the same $id. */
function compileAlone(Draft: typeof Ajv | typeof Ajv2020, schema: JsonObject): ValidateFunction {
  return addFormats.default(new Draft({ ...OPTIONS, validateSchema: false })).compile(schema);
}

function isDraft7({ $schema }: JsonObject): boolean {
  return typeof $schema === 'string' && $schema.includes('draft-07');
}

function shapeMistake(field: string, schema: unknown): string | null {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    return 'it is not an object';
  }
  // An asynchronous schema would answer a promise, which every value would seem to fit.
  if ('$async' in schema) return '$async is not part of JSON Schema';
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

function schemaCheck(validate: ValidateFunction): SchemaCheck {
  return (value) => {
    try {
      return validate(value) ? null : readable(validate.errors ?? []);
    } catch (error) {
      if (error instanceof RangeError) return ['/ is nested too deeply to be checked'];
      throw error;
    }
  };
}

function readable(errors: ErrorObject[]): string[] {
  const lines = errors.slice(0, MAX_LINES).map(line);
  const more = errors.length - lines.length;
  return more > 0 ? [...lines, `… and ${more} more`] : lines;
}

function line({ instancePath, message, keyword, params }: ErrorObject): string {
  const text = `${instancePath || '/'} ${message ?? keyword}${detail(keyword, params)}`;
  return text.length > MAX_LINE_LENGTH ? `${text.slice(0, MAX_LINE_LENGTH - 1)}…` : text;
}

/** What ajv knows and its message leaves out. */
function detail(keyword: string, params: Record<string, unknown>): string {
  if (keyword === 'additionalProperties') return `: ${JSON.stringify(params.additionalProperty)}`;
  if (keyword === 'unevaluatedProperties') return `: ${JSON.stringify(params.unevaluatedProperty)}`;
  if (keyword === 'enum') return `: ${JSON.stringify(params.allowedValues)}`;
  if (keyword === 'const') return `: ${JSON.stringify(params.allowedValue)}`;
  return '';
}
