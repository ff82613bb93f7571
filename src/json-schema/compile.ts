import { Ajv, type Options, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { Json, JsonObject } from '../contracts/json.ts';
import type { SchemaErrors } from '../contracts/tools.ts';
import { inTime, TookTooLong } from './in-time.ts';
import { readable } from './mistakes.ts';
import { linearPatterns, shortFormats } from './patterns.ts';

export type SchemaCheck = (value: Json) => SchemaErrors;

/** Nothing else goes on meanwhile; less than Temporal waits for a heartbeat. */
const MAX_MS = 2_000;

const OPTIONS: Options = {
  strict: false,
  allErrors: true,
  logger: false,
  // Else a missing `constructor` or `toString` counts as given.
  ownProperties: true,
  code: { regExp: linearPatterns },
};

/** What it takes to check schemas is costly to compile, and shared. */
const metaSchemas = new Map<typeof Ajv | typeof Ajv2020, Ajv | Ajv2020>();

/**
 * Compiles a JSON Schema of draft 2020-12, or of draft 7 where `$schema` says so. References are never fetched. Neither
 * this nor the check takes long, whatever the schema and the value.
 * @throws Error naming what is wrong with the schema
 */
export function compileSchema(schema: JsonObject): SchemaCheck {
  // An asynchronous schema would answer a promise, which every value would seem to fit.
  if (Object.hasOwn(schema, '$async')) throw new Error('$async is not part of JSON Schema');
  let validate = inTime(MAX_MS, () => compile(schema));
  return (value) => {
    try {
      return inTime(MAX_MS, () => (validate(value) ? null : readable(validate.errors ?? [])));
    } catch (error) {
      if (error instanceof RangeError) return ['/ is nested too deeply to be checked'];
      if (!(error instanceof TookTooLong)) throw error;
      // Nobody knows in which state it was cut off.
      validate = inTime(MAX_MS, () => compile(schema));
      return [`/ cannot be checked: ${error.message}`];
    }
  };
}

function compile(schema: JsonObject): ValidateFunction {
  const { $schema } = schema;
  const Draft = typeof $schema === 'string' && $schema.includes('draft-07') ? Ajv : Ajv2020;
  void metaSchemaOf(Draft).validateSchema(schema, true);
  // In an instance of its own: compiled schemas stay in memory, and may claim each other's $id.
  const ajv = new Draft({ ...OPTIONS, validateSchema: false });
  addFormats.default(ajv);
  shortFormats(ajv);
  return ajv.compile(schema);
}

function metaSchemaOf(Draft: typeof Ajv | typeof Ajv2020): Ajv | Ajv2020 {
  const known = metaSchemas.get(Draft) ?? new Draft(OPTIONS);
  metaSchemas.set(Draft, known);
  return known;
}
