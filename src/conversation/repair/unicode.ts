import type { Item, Json } from '../../contracts/json.ts';

const LONE_SURROGATE = /\p{Cs}/u;
const LONE_SURROGATES = /\p{Cs}/gu;

/** The item itself when all its texts are valid Unicode. */
export function toUnicode(item: Item): Item {
  return isUnicode(item) ? item : (replaced(item) as Item);
}

function isUnicode(value: Json): boolean {
  if (typeof value === 'string') return !LONE_SURROGATE.test(value);
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every(isUnicode);
  return Object.entries(value).every(([key, field]) => isUnicode(key) && isUnicode(field));
}

function replaced(value: Json): Json {
  if (typeof value === 'string') return value.replace(LONE_SURROGATES, '\ufffd');
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(replaced);
  const entries = Object.entries(value).map(([key, field]) => [replaced(key), replaced(field)]);
  return Object.fromEntries(entries) as Json;
}
