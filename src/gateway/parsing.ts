import { Ajv, type AnySchema } from 'ajv';
import type { FastifySchemaCompiler } from 'fastify';
import type { App } from './context.ts';
import { TurnkeeperError } from '../contracts/errors.ts';
import { describeError } from '../contracts/thrown.ts';

const ajv = new Ajv({ coerceTypes: true, strict: false, validateFormats: false });

/** Checks queries, headers and paths, whose numbers come as text. Bodies are checked by the client, field by field. */
export const validatorCompiler: FastifySchemaCompiler<AnySchema> = ({ schema, httpPart }) =>
  httpPart === 'body' ? () => true : ajv.compile(schema);

/**
 * Takes JSON in valid UTF-8 alone: Node would put U+FFFD in the place of what is not. Any key is data, `__proto__` as well:
 * bodies are checked field by field, and copied by spreading alone, which sets no prototype.
 */
export function readJson(app: App): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      // Many programs name the type of a body that they do not send.
      done(null, body.length === 0 ? {} : parse(decode(body as Buffer)));
    } catch (error) {
      done(error as Error);
    }
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const message = `The body is not valid JSON: ${describeError(error)}.`;
    throw new TurnkeeperError('invalid_request', message, { field: 'body' }, error);
  }
}

function decode(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (error) {
    const message = 'The body is not valid UTF-8.';
    throw new TurnkeeperError('invalid_request', message, { field: 'body' }, error);
  }
}
