import type { Json, JsonObject } from '../../contracts/json.ts';
import { findCodeCalls } from './code-calls.ts';
import { bestSentences } from './extract.ts';
import { callItem, messageItem } from './plan.ts';
import { isObject } from '../../conversation/items.ts';
import { itemText, text } from './request.ts';
import type { CreateRequest } from './request.ts';
import type { ScriptedCall } from './script.ts';
import { offlineSummary } from './summary.ts';
import type { OutputItem } from './wire.ts';

/** Begins every answer, so that nobody takes it for a language model's. */
const OFFLINE_PREFIX = '[offline model] ';

const PASSAGES_HEADING = 'Passages from the knowledge base.';
const PASSAGE_HEADER = /^\[(\d+)\] (.*), characters (\d+)–(\d+)$/;
const MAX_SENTENCES = 3;

interface ReadPassage {
  /** The number to cite it by. */
  number: number;
  document: string;
  start: number;
  end: number;
  text: string;
}

/**
 * What the offline model says without a script: a summary where it is asked for one; calls of the tools whose arguments
 * it can find in the question, else what the tools answered, else sentences from the passages.
 */
export function offlineAnswer(request: CreateRequest): OutputItem[] {
  const asked = request.input.findLastIndex((item) => item['role'] === 'user');
  const question = asked < 0 ? '' : itemText(request.input[asked] ?? {});
  const summary = offlineSummary(question);
  if (summary !== null) return [say(summary)];
  const outputs = request.input.slice(asked + 1).filter(isToolOutput);
  if (outputs.length > 0) return [say(fromOutputs(outputs, request.input))];
  const calls = findCalls(request, question);
  if (calls.length > 0) return calls.map(callItem);
  return [say(fromPassages(findPassages(request.input), question))];
}

function say(text: string): OutputItem {
  return messageItem(OFFLINE_PREFIX + text);
}

function isToolOutput(item: JsonObject): boolean {
  return item['type'] === 'function_call_output';
}

function fromOutputs(outputs: JsonObject[], input: JsonObject[]): string {
  const lines = outputs.map((output) => {
    const call = input.find(
      (item) => item['type'] === 'function_call' && item['call_id'] === output['call_id'],
    );
    const name = `${text(call?.['name'])}(${readable(withoutCode(call?.['arguments']))})`;
    return `- ${name}: ${printed(output['output']) ?? (readable(output['output']) || itemText(output))}`;
  });
  return `The tools answered:\n${lines.join('\n')}`;
}

/** The question holds it, so nobody misses it. */
function withoutCode(args: Json | undefined): Json | undefined {
  const parsed = tryParse(typeof args === 'string' ? args : '');
  if (!isObject(parsed) || typeof parsed['language'] !== 'string') return args;
  return parsed['language'];
}

/** What a program wrote, where the output is that of one that came to its end. */
function printed(output: Json | undefined): string | null {
  const parsed = tryParse(typeof output === 'string' ? output : '');
  if (!isObject(parsed) || parsed['exit_code'] !== 0) return null;
  return text(parsed['stdout']).trim() || null;
}

/** `{"id":"A-1","days":3}` as `id: A-1, days: 3`; a single value bare; other text as it is. */
function readable(value: Json | undefined): string {
  if (typeof value !== 'string') return '';
  const parsed = tryParse(value);
  if (!isObject(parsed)) return value;
  const fields = Object.entries(parsed).map(
    ([name, field]) => [name, typeof field === 'string' ? field : JSON.stringify(field)] as const,
  );
  if (fields.length === 1) return fields[0]?.[1] ?? '';
  return fields.map(([name, field]) => `${name}: ${field}`).join(', ');
}

function tryParse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}

function findCalls(request: CreateRequest, question: string): ScriptedCall[] {
  if (request.body['tool_choice'] === 'none') return [];
  const codeCalls = findCodeCalls(request.tools, question);
  if (codeCalls.length > 0) return codeCalls;
  return request.tools.flatMap((tool) => {
    const parameter = findableParameter(tool);
    if (parameter === null) return [];
    const values = new Set(question.match(parameter.pattern) ?? []);
    return [...values].map((value) => ({
      name: text(tool['name']),
      arguments: { [parameter.name]: value },
    }));
  });
}

/** The tool's only required parameter, when it is a string with a pattern by which it can be found in a text. */
function findableParameter(tool: JsonObject): { name: string; pattern: RegExp } | null {
  const schema = tool['parameters'];
  if (tool['type'] !== 'function' || !isObject(schema) || !isObject(schema['properties']))
    return null;
  const [name, ...others] = Array.isArray(schema['required']) ? schema['required'].map(String) : [];
  const property = name === undefined ? undefined : schema['properties'][name];
  if (name === undefined || others.length > 0 || !isObject(property)) return null;
  if (property['type'] !== 'string' || typeof property['pattern'] !== 'string') return null;
  const pattern = wordPattern(property['pattern']);
  return pattern === null ? null : { name, pattern };
}

/** A schema's pattern fits a whole value; in a text the value stands as a word of its own. */
function wordPattern(pattern: string): RegExp | null {
  const inner = pattern.replace(/^\^/, '').replace(/(?<!\\)\$$/, '');
  try {
    return new RegExp(String.raw`(?<![\p{L}\p{N}_])(?:${inner})(?![\p{L}\p{N}_])`, 'gu');
  } catch {
    return null;
  }
}

function findPassages(input: JsonObject[]): ReadPassage[] {
  for (const message of input.filter((item) => item['role'] !== 'assistant').reverse()) {
    const passages = parsePassages(itemText(message));
    if (passages.length > 0) return passages;
  }
  return [];
}

/**
 * Reads the passages out of a message: a first line that begins with "Passages from the knowledge base.",
 * then for each a block `[n] <document>, characters <start>–<end>` with its text below. None when it isn't such a one.
 */
export function parsePassages(message: string): ReadPassage[] {
  const [heading = '', ...lines] = message.split('\n');
  if (!heading.startsWith(PASSAGES_HEADING)) return [];
  const passages: (Omit<ReadPassage, 'text'> & { lines: string[] })[] = [];
  for (const line of lines) {
    const header = PASSAGE_HEADER.exec(line);
    // Only the next number opens a passage: a text may hold a line of this form itself.
    if (header !== null && Number(header[1]) === passages.length + 1) {
      const [, number, document = '', start, end] = header;
      const place = { number: Number(number), start: Number(start), end: Number(end) };
      passages.push({ ...place, document, lines: [] });
    } else {
      passages.at(-1)?.lines.push(line);
    }
  }
  return passages.map(({ lines: content, ...passage }) => ({
    ...passage,
    text: content.join('\n').trim(),
  }));
}

function fromPassages(passages: ReadPassage[], question: string): string {
  if (passages.length === 0) {
    return 'I was given no passages, and I can only answer from documents.';
  }
  const sentences = bestSentences(passages, question, MAX_SENTENCES);
  if (sentences.length === 0) return 'The passages I was given say nothing about that.';
  return sentences.map(({ text, number }) => `${text} [${String(number)}]`).join(' ');
}
