import { Type, type Static, type TSchema } from '@sinclair/typebox';
import type { JsonObject } from '../../contracts/json.ts';

/** One of a few words. */
export function words<const Word extends string>(...values: Word[]) {
  return Type.Unsafe<Word>({ type: 'string', enum: values });
}

export function nullable<Schema extends TSchema>(schema: Schema) {
  return Type.Union([schema, Type.Null()]);
}

/** A schema that has a name of its own in the document. */
export function named<Schema extends TSchema>(name: string, schema: Schema): Schema {
  return { ...schema, $id: name };
}

/** Refers to it. */
export function ref<Schema extends TSchema>(schema: Schema) {
  return Type.Unsafe<Static<Schema>>({ $ref: `${String(schema.$id)}#` });
}

export const Id = Type.String({ format: 'uuid' });
/** Handlers give dates, the wire has ISO 8601. */
export const Time = Type.Unsafe<Date>({ type: 'string', format: 'date-time' });
export const AnyObject = Type.Unsafe<JsonObject>({ type: 'object', additionalProperties: true });
export const Count = Type.Integer({ minimum: 0 });

export const ErrorAnswer = named(
  'Error',
  Type.Object({
    error: Type.Object({
      code: Type.String({ description: 'Stable; docs/errors.md lists them.' }),
      message: Type.String(),
      details: Type.Optional(AnyObject),
    }),
  }),
);

/** The answers of a route: its own, and refusals. */
export function answers<const Own extends Record<number, TSchema>>(own: Own) {
  const refusal = ref(ErrorAnswer);
  return { ...own, '4xx': refusal, '5xx': refusal };
}

export function pageOf<Schema extends TSchema>(schema: Schema) {
  return Type.Object({
    data: Type.Array(ref(schema)),
    nextCursor: nullable(Type.String({ description: 'Null on the last page.' })),
  });
}

export const PAGE = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
  cursor: Type.Optional(Type.String({ description: '`nextCursor` of the page before.' })),
  order: Type.Optional(
    Type.Unsafe<'asc' | 'desc'>({ type: 'string', enum: ['asc', 'desc'], default: 'asc' }),
  ),
};

/** A query whose every field is known. */
export function query<const Fields extends Record<string, TSchema>>(fields: Fields) {
  return Type.Object(fields, { additionalProperties: false });
}

export const ById = Type.Object({ id: Type.String() });

export const KeyHeader = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({ description: 'The same key and request have the same outcome, once.' }),
  ),
});
