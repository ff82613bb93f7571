import type { Item, Json, JsonObject } from '../../contracts/json.ts';
import type { RepairRule } from '../../contracts/store.ts';
import { isObject } from '../items.ts';

const SAID_TO_MODEL: Parts = {
  text: 'input_text',
  others: ['input_image', 'input_file', 'input_audio'],
};
const SAID_BY_MODEL: Parts = { text: 'output_text', others: ['refusal'] };

/** Types of parts. */
interface Parts {
  text: string;
  others: string[];
}

/** Parts of a message, or of what a tool returned, as whoever said it may send them. */
export function repairContent(item: Item, report: (rule: RepairRule) => void): Item {
  const field = item.type === 'message' ? 'content' : 'output';
  const parts = item[field];
  const hasParts =
    item.type === 'message' || /^(function_call|custom_tool_call)_output$/.test(item.type);
  if (!hasParts || !Array.isArray(parts)) return item;
  const may = item['role'] === 'assistant' ? SAID_BY_MODEL : SAID_TO_MODEL;
  const allowed = changed(parts, (part) => allowedPart(part, may));
  if (allowed !== parts) report('message_part');
  const there = changed(allowed, whereLost);
  if (there !== allowed) report('lost_file');
  return there === parts ? item : { ...item, [field]: there };
}

/** The parts themselves when none of them changes; undefined leaves one out. */
function changed(parts: Json[], change: (part: Json) => Json | undefined): Json[] {
  const after = parts.map(change);
  return after.every((part, index) => part === parts[index])
    ? parts
    : after.filter((part) => part !== undefined);
}

function allowedPart(part: Json, may: Parts): Json | undefined {
  if (!isObject(part)) return undefined;
  const type = String(part['type']);
  const { text } = part;
  if (may.others.includes(type)) return isWhole(part) ? part : undefined;
  if (typeof text !== 'string') return undefined;
  if (type === may.text) return part;
  return /^(input_text|output_text|text)$/.test(type) ? textPart(may, text) : undefined;
}

function isWhole(part: JsonObject): boolean {
  return part['type'] !== 'refusal' || typeof part['refusal'] === 'string';
}

function textPart(may: Parts, text: string): JsonObject {
  return { type: may.text, text, ...(may === SAID_BY_MODEL && { annotations: [] }) };
}

/** Ids of a container's files, links into a sandbox. */
const UNREADABLE = /^(cfile_|sandbox:|file:|container:)/;

function whereLost(part: Json): Json {
  if (!isObject(part)) return part;
  const { type, file_id: id, image_url: image, file_url: file, filename } = part;
  if (type !== 'input_image' && type !== 'input_file') return part;
  const lost = [id, image, file].find(
    (place) => typeof place === 'string' && UNREADABLE.test(place),
  );
  if (lost === undefined) return part;
  const name = typeof filename === 'string' ? filename : String(lost);
  return textPart(SAID_TO_MODEL, `[${name.slice(0, 255)} is not available any more]`);
}
