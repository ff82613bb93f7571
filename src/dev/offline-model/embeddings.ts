import { createHash } from 'node:crypto';
import type { Json, JsonObject } from '../../contracts/json.ts';
import { badRequest, checkModel } from './api-error.ts';
import { textTokens } from './tokens.ts';

const DEFAULT_DIMENSIONS = 256;
const MAX_INPUTS = 2_048;

/** `POST /v1/embeddings`: words hashed into buckets. The same text has the same vector on every machine. */
export function embeddings(body: JsonObject): JsonObject {
  if (typeof body['model'] !== 'string')
    throw badRequest("Missing required parameter: 'model'.", 'model');
  checkModel(body['model']);
  const texts = readInputs(body['input']);
  const dimensions = readDimensions(body['dimensions']);
  const tokens = texts.reduce((sum, text) => sum + textTokens(text), 0);
  const asBase64 = body['encoding_format'] === 'base64';
  return {
    object: 'list',
    model: body['model'],
    data: texts.map((text, index) => {
      const vector = embed(text, dimensions);
      return { object: 'embedding', index, embedding: asBase64 ? base64(vector) : vector };
    }),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

function readInputs(input: Json | undefined): string[] {
  const list = Array.isArray(input) ? input : [input];
  const texts = list.filter((text) => typeof text === 'string' && text !== '') as string[];
  if (texts.length === list.length && list.length > 0 && list.length <= MAX_INPUTS) return texts;
  throw badRequest(
    `'input' must be a text or up to ${String(MAX_INPUTS)} of them, none empty.`,
    'input',
  );
}

function readDimensions(asked: Json | undefined): number {
  if (asked === undefined) return DEFAULT_DIMENSIONS;
  if (typeof asked === 'number' && Number.isInteger(asked) && asked > 0) return asked;
  throw badRequest("'dimensions' must be a positive integer.", 'dimensions');
}

function embed(text: string, dimensions: number): number[] {
  const vector = new Array<number>(dimensions).fill(0);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [text]) {
    const hash = createHash('sha256').update(word).digest();
    const bucket = hash.readUInt32BE(0) % dimensions;
    vector[bucket] = (vector[bucket] ?? 0) + 1;
  }
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

function base64(vector: number[]): string {
  return Buffer.from(Float32Array.from(vector).buffer).toString('base64');
}
