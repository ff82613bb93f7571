import type { JsonObject } from '../../contracts/json.ts';
import { badRequest } from './api-error.ts';
import { isObject } from '../../conversation/items.ts';
import { INPUT_TYPES } from '../../conversation/repair/types.ts';
import { objects, text } from './request.ts';

const TYPES: ReadonlySet<string> = new Set([...INPUT_TYPES, 'item_reference']);
const STATUSES = ['in_progress', 'completed', 'incomplete'];
const MAX_ID = 64;

/** Refuses input as OpenAI does, with its words where they are known. Throws `ApiError`. */
export function checkInput(input: JsonObject[]): void {
  input.forEach((item, index) => checkItem(item, `input[${index}]`));
  refuseDoubledIds(input);
  input.forEach((item, index) => refuseReasoningAlone(item, input.slice(index + 1)));
  refuseUnpairedCalls(input, 'function_call', 'function call');
  refuseUnpairedCalls(input, 'custom_tool_call', 'custom tool call');
}

function checkItem(item: JsonObject, at: string): void {
  const type = item['type'] === undefined ? 'message' : text(item['type']);
  if (!TYPES.has(type)) throw invalid(`${at}.type`, type, [...TYPES]);
  for (const field of ['id', 'call_id']) checkLength(item, field, at);
  if (type === 'message') checkMessage(item, at);
  if (type === 'reasoning' && !Array.isArray(item['summary']))
    throw badRequest(`Missing required parameter: '${at}.summary'.`, `${at}.summary`);
  const { status } = item;
  const isPlain = ['message', 'function_call', 'function_call_output', 'reasoning'].includes(type);
  if (isPlain && status !== undefined && !STATUSES.includes(text(status)))
    throw invalid(`${at}.status`, String(status), STATUSES);
}

function checkLength(item: JsonObject, field: string, at: string): void {
  const { length } = text(item[field]);
  if (length <= MAX_ID) return;
  throw badRequest(
    `Invalid '${at}.${field}': string too long. Expected a string with maximum length ${MAX_ID}, but got a string with length ${length} instead.`,
    `${at}.${field}`,
  );
}

function checkMessage({ role, content }: JsonObject, at: string): void {
  if (content === undefined || content === null)
    throw badRequest(`Missing required parameter: '${at}.content'.`, `${at}.content`);
  const types =
    role === 'assistant'
      ? ['output_text', 'refusal']
      : ['input_text', 'input_image', 'input_file', 'input_audio'];
  objects(content).forEach((part, index) => {
    const type = text(part['type']);
    if (!types.includes(type)) throw invalid(`${at}.content[${index}]`, type, types);
  });
}

function invalid(param: string, value: string, supported: string[]) {
  const values = supported.map((one) => `'${one}'`).join(', ');
  return badRequest(`Invalid value: '${value}'. Supported values are: ${values}.`, param);
}

function refuseDoubledIds(input: JsonObject[]): void {
  const seen = new Set<string>();
  for (const { id, type } of input) {
    if (typeof id !== 'string' || type === 'item_reference') continue;
    if (seen.has(id)) {
      const what = `Duplicate item found with id ${id}.`;
      throw badRequest(`${what} Remove duplicate items from your input and try again.`, 'input');
    }
    seen.add(id);
  }
}

function refuseReasoningAlone(item: JsonObject, rest: JsonObject[]): void {
  if (item['type'] !== 'reasoning') return;
  const next = rest.find(({ type }) => type !== 'reasoning');
  const isOfModel =
    isObject(next) &&
    !text(next['type']).endsWith('_output') &&
    (next['role'] === undefined || next['role'] === 'assistant');
  if (isOfModel) return;
  throw badRequest(
    `Item '${text(item['id'])}' of type 'reasoning' was provided without its required following item.`,
    'input',
  );
}

function refuseUnpairedCalls(input: JsonObject[], type: string, name: string): void {
  const open = new Map<string, number>();
  for (const item of input) {
    const callId = text(item['call_id']);
    const waiting = open.get(callId) ?? 0;
    if (item['type'] === type) open.set(callId, waiting + 1);
    if (item['type'] !== `${type}_output`) continue;
    if (waiting === 0)
      throw badRequest(`No tool call found for ${name} output with call_id ${callId}.`, 'input');
    open.set(callId, waiting - 1);
  }
  for (const [callId, waiting] of open)
    if (waiting > 0) throw badRequest(`No tool output found for ${name} ${callId}.`, 'input');
}
