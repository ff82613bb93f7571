import { isObject } from '../../conversation/items.ts';
import type { Json, JsonObject } from '../../contracts/json.ts';
import { badRequest, checkModel } from './api-error.ts';

/** `POST /v1/responses`, checked. */
export interface CreateRequest {
  body: JsonObject;
  model: string;
  instructions: string | null;
  input: JsonObject[];
  tools: JsonObject[];
  stream: boolean;
  background: boolean;
  store: boolean;
}

/** Throws `ApiError` on parameters that OpenAI refuses too, and on what this server can't do. */
export function readCreateRequest(body: JsonObject): CreateRequest {
  if (typeof body['model'] !== 'string')
    throw badRequest("Missing required parameter: 'model'.", 'model');
  checkModel(body['model']);
  for (const name of ['previous_response_id', 'conversation', 'prompt']) {
    if ((body[name] ?? null) !== null)
      throw badRequest(`The offline model doesn't know '${name}'.`, name);
  }
  const input = readInput(body['input']);
  const request = {
    body,
    model: body['model'],
    instructions: typeof body['instructions'] === 'string' ? body['instructions'] : null,
    input,
    tools: objects(body['tools']),
    stream: body['stream'] === true,
    background: body['background'] === true,
    store: body['store'] !== false,
  };
  if (request.background && !request.store) {
    throw badRequest("Background mode requires 'store' to be true.", 'background');
  }
  return request;
}

function readInput(input: Json | undefined): JsonObject[] {
  if (typeof input === 'string') return [{ type: 'message', role: 'user', content: input }];
  if (Array.isArray(input)) return objects(input);
  throw badRequest("Missing required parameter: 'input'.", 'input');
}

/** The texts of an item, whatever its type: message content, arguments, output. */
export function itemText(item: JsonObject): string {
  const fields = [item['content'], item['arguments'], item['output'], item['summary']];
  return fields.flatMap(texts).join('\n');
}

function texts(content: Json | undefined): string[] {
  if (typeof content === 'string') return [content];
  return objects(content).flatMap((part) =>
    typeof part['text'] === 'string' ? [part['text']] : [],
  );
}

export function text(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

export function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
